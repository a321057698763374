"""Kubernetes manifests: Deployment, Service, autoscaler and disruption budget."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.deployment import ProcessSpec
from harness.planning.commands import CONTAINER_TLS
from harness.recipes.nginx import CONFIG
from harness.reporting.export import dockerfile
from harness.reporting.export.compose import NGINX_ARGV, NGINX_IMAGE
from harness.reporting.export.deployable import DRAIN_S, USER, Deployable, Exported, uses_tls
from harness.reporting.export.yaml_text import one_line, yaml_text

FILE = "kubernetes.yaml"
LEAST_REPLICAS = 2
"""Fewer cannot be replaced without a pause."""
BUSY_PERCENT = 70
"""Of the CPU request, above which the autoscaler adds a replica: what is left is for its start."""
NEVER_RUN = "validated against the schema of Kubernetes, never run on a cluster by harness"


def render(given: Deployable) -> Exported:
    """With the Dockerfile of its image, where that is made here."""
    warnings = tuple(_warnings(given))
    documents = [_deployment(given), _service(given), _autoscaler(given), _budget(given)]
    if given.nginx_config is not None:
        documents.append(_config_map(given, given.nginx_config))
    text = yaml_text(documents)
    files = {FILE: given.comment(*warnings) + text}
    if given.builds:
        files.update(dockerfile.render(given).files)
    return Exported(files=files, warnings=(*given.warnings, *warnings))


def _warnings(given: Deployable) -> Iterator[str]:
    yield NEVER_RUN
    if given.builds:
        yield f"build and push the image, then put its name in the place of {given.name}:latest"
    yield from given.limit_notes(f"cpu: {given.cpus:g} is", f"memory: {given.memory_mib}Mi")
    if given.ready_path is None:
        yield "readiness asks for an open port only: no path is known that answers without a login"
    if given.target.secret_env:
        yield f"kubectl create secret generic {given.name}-env --from-env-file={given.target.env_file}"
    for service in given.target.services:
        yield f"{service.name} ({service.image}) is a service of its own, and not part of these manifests"
    if given.needs_certificate:
        yield f"kubectl create secret generic {given.name}-tls --from-file=cert.pem --from-file=key.pem"


def _labels(given: Deployable) -> dict[str, str]:
    return {"app.kubernetes.io/name": given.name}


def _deployment(given: Deployable) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": given.name, "labels": _labels(given)},
        "spec": {
            "replicas": max(given.replicas, LEAST_REPLICAS),
            "selector": {"matchLabels": _labels(given)},
            # No replica is taken away before its successor is ready.
            "strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": {"metadata": {"labels": _labels(given)}, "spec": _pod(given)},
        },
    }


def _pod(given: Deployable) -> dict[str, Any]:
    user, _, group = given.user.partition(":")
    numbered = user.isdecimal() and (not group or group.isdecimal())
    uid, gid = (user, group or user) if numbered else USER.split(":")
    volumes: list[dict[str, Any]] = [
        {"name": _volume(path), "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}}
        for path in given.writable
    ]
    if given.nginx_config is not None:
        volumes.append({"name": "nginx-config", "configMap": {"name": f"{given.name}-nginx"}})
    if given.needs_certificate:
        volumes.append({"name": "tls", "secret": {"secretName": f"{given.name}-tls"}})
    return {
        "terminationGracePeriodSeconds": given.stop_s + DRAIN_S,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": int(uid),
            "runAsGroup": int(gid),
            "fsGroup": int(gid),
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(given, process) for process in given.processes],
        "volumes": volumes,
    }


def _volume(path: str) -> str:
    return f"writable{path.replace('/', '-').replace('_', '-').replace('.', '-').lower()}"


def _container(given: Deployable, process: ProcessSpec) -> dict[str, Any]:
    """All of a pod share its network, as the processes did while they were measured."""
    is_front, is_nginx = process is given.processes[0], process.name == "nginx"
    env = {name: value for name, value in process.env.items() if name != CONFIG}
    mounts = [{"name": _volume(path), "mountPath": path} for path in given.writable]
    found: dict[str, Any] = {"name": process.name}
    if is_nginx:
        mounts.append({"name": "nginx-config", "mountPath": "/etc/nginx/nginx.conf", "subPath": "nginx.conf"})
        found.update(image=NGINX_IMAGE, command=one_line(NGINX_ARGV))
    else:
        found["image"] = f"{given.name}:latest" if given.builds else given.target.image
        if process.argv:
            found["command"] = one_line(process.argv)
    if uses_tls(process):
        mounts.append({"name": "tls", "mountPath": CONTAINER_TLS})
    if env:
        found["env"] = [{"name": name, "value": value} for name, value in env.items()]
    if given.target.secret_env and not is_nginx:
        found["envFrom"] = [{"secretRef": {"name": f"{given.name}-env"}}]
    if is_front:
        found["ports"] = [{"name": "http", "containerPort": given.port}]
        found.update(_probes(given))
        # The endpoint leaves the load balancers a little after the pod is told to stop.
        found["lifecycle"] = {"preStop": {"exec": {"command": one_line(("sleep", str(DRAIN_S)))}}}
    if not is_nginx:
        found["resources"] = _resources(given)
    kept = () if is_nginx else given.target.capabilities
    added = {"add": one_line(kept)} if kept else {}
    return {
        **found,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": one_line(("ALL",)), **added},
        },
        "volumeMounts": mounts,
    }


def _resources(given: Deployable) -> dict[str, Any]:
    """Requests equal limits: what was measured is what it gets, no more and no less."""
    apps = sum(process.name != "nginx" for process in given.processes)
    cpu = f"{round(1000 * given.cpus / apps)}m"
    amount = {"cpu": cpu}
    if given.memory_mib is not None:
        amount["memory"] = f"{-(-given.memory_mib // apps)}Mi"
    return {"requests": amount, "limits": dict(amount)}


def _probes(given: Deployable) -> dict[str, Any]:
    """Liveness asks for the port alone: a dependency that is down must not restart the app."""
    scheme = "HTTPS" if given.needs_certificate else "HTTP"
    look: dict[str, Any] = {"tcpSocket": {"port": "http"}}
    if given.ready_path is not None:
        look = {"httpGet": {"path": given.ready_path, "port": "http", "scheme": scheme}}
    tries = max(15, round(20 * (given.start_s or 1)))
    return {
        "startupProbe": {**look, "periodSeconds": 1, "timeoutSeconds": 3, "failureThreshold": tries},
        "readinessProbe": {**look, "periodSeconds": 5, "timeoutSeconds": 3, "failureThreshold": 2},
        "livenessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 10, "failureThreshold": 3},
    }


def _service(given: Deployable) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": given.name, "labels": _labels(given)},
        "spec": {
            "selector": _labels(given),
            "ports": [{"name": "http", "port": 80, "targetPort": "http"}],
        },
    }


def _autoscaler(given: Deployable) -> dict[str, Any]:
    least = max(given.replicas, LEAST_REPLICAS)
    busy = {"type": "Utilization", "averageUtilization": BUSY_PERCENT}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": given.name, "labels": _labels(given)},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": given.name},
            "minReplicas": least,
            "maxReplicas": 3 * least,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": busy}}],
        },
    }


def _budget(given: Deployable) -> dict[str, Any]:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": given.name, "labels": _labels(given)},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": _labels(given)}},
    }


def _config_map(given: Deployable, config: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"{given.name}-nginx", "labels": _labels(given)},
        "data": {"nginx.conf": config},
    }
