"""How programs build with Debian's python3-docker, against the engine that DOCKER_HOST names. Prints what went well."""
import io
import sys

import docker

base, context = sys.argv[1:]
client = docker.from_env()

image, lines = client.images.build(
    path=context, tag="python:1", buildargs={"WHO": "python"}, labels={"by": "docker-py"}, rm=True, forcerm=True,
    pull=False, nocache=True, target="last", extra_hosts={"there": "192.0.2.1"}, network_mode="none", shmsize=1 << 20,
    container_limits={"memory": 64 << 20},
)
assert image.tags == ["python:1"], image.tags
assert image.labels["by"] == "docker-py", image.labels
said = "".join(line.get("stream", "") for line in lines)
assert "Step 1/" in said and "hello python" in said and "Successfully tagged python:1" in said, said
assert client.containers.run("python:1", "cat /said", remove=True, network_mode="none") == b"hello python\n"

again, lines = client.images.build(path=context, buildargs={"WHO": "python"}, labels={"by": "docker-py"}, target="last",
                                   extra_hosts={"there": "192.0.2.1"}, network_mode="none")
assert again.id == image.id
assert " ---> Using cache\n" in [line.get("stream") for line in lines]

alone, _ = client.images.build(fileobj=io.BytesIO(f"FROM {base}\nRUN echo alone > /x\n".encode()))
assert client.containers.run(alone.id, "cat /x", remove=True, network_mode="none") == b"alone\n"

try:
    client.images.build(fileobj=io.BytesIO(f"FROM {base}\nRUN echo last words; exit 7\n".encode()))
    raise AssertionError("a failure went unnoticed")
except docker.errors.BuildError as error:
    assert "exit code: 7" in error.msg, error.msg
    assert any("last words" in line.get("stream", "") for line in error.build_log)

assert client.api.prune_builds()["SpaceReclaimed"] >= 0
print("all went well")
