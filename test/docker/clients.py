"""What programs do with Debian's python3-docker, against the engine that DOCKER_HOST names. Prints what went well."""
import sys

import docker

image = sys.argv[1]
client = docker.from_env()

assert client.ping()
assert client.version()["ApiVersion"] == "1.51"
assert client.info()["OSType"] == "linux"
assert any(image in one.tags for one in client.images.list())

assert client.containers.run(image, "echo hello", remove=True, network_mode="none") == b"hello\n"
try:
    client.containers.run(image, "sh -c 'echo bad >&2; exit 3'", remove=True, network_mode="none")
    raise AssertionError("a failure went unnoticed")
except docker.errors.ContainerError as error:
    assert error.exit_status == 3 and error.stderr == b"bad\n", error

one = client.containers.run(
    image, "sleep 1000", name="one", detach=True, labels={"a": "b"}, environment={"X": "y"}, mem_limit="64m",
    restart_policy={"Name": "on-failure", "MaximumRetryCount": 2},
    healthcheck={"test": ["CMD", "true"], "interval": 1_000_000_000},
)
assert one.status == "created" and client.containers.get("one").status == "running"
assert one.exec_run("sh -c 'echo $X; exit 4'") == (4, b"y\n")
code, streams = one.exec_run("sh -c 'echo out; echo err >&2'", demux=True)
assert (code, streams) == (0, (b"out\n", b"err\n")), streams
one.pause()
one.reload()
assert one.status == "paused"
one.unpause()
one.update(mem_limit="32m", memswap_limit="64m")
assert one.attrs["HostConfig"]["Memory"] == 64 << 20
one.reload()
assert one.attrs["HostConfig"]["Memory"] == 32 << 20
assert one.stats(stream=False)["memory_stats"]["limit"] == 32 << 20
assert one.top()["Processes"]
one.rename("other")
assert [c.name for c in client.containers.list(filters={"label": "a=b"})] == ["other"]
one.restart(timeout=0)
one.stop(timeout=0)
assert one.wait()["StatusCode"] == 137
one.start()
one.kill()
one.remove(force=True)
try:
    client.containers.get("other")
    raise AssertionError("it is still there")
except docker.errors.NotFound:
    pass

lines = client.containers.run(image, "sh -c 'echo 1; echo 2'", detach=True, network_mode="none", name="lines")
lines.wait()
assert lines.logs(tail=1) == b"2\n"
assert b"".join(lines.logs(stream=True)) == b"1\n2\n"
socket = client.api.attach_socket("lines", params={"logs": 1, "stdout": 1, "stream": 0})
socket.close()
assert client.containers.prune()["ContainersDeleted"] == [lines.id]
assert client.df()["Containers"] is not None
events = client.events(since=1, until=9999999, decode=True)
assert list(events) is not None
print("all went well")
