"""The FastAPI app under test: what a team would deploy, plus a probe that tells how it is being served."""
