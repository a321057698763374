"""The harness measured against servers whose truth is known (METHOD, "Experiments that prove ...")."""
