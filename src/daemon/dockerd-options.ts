/** Options of dockerd's that pier does not have: who brings a script or a daemon.json along is told what is instead. */

/** By dockerd's name of the option; where keys of daemon.json have a name of their own, by both. */
const instead: Readonly<Record<string, string>> = {
  "storage-driver": "layers are mounted as --layer-format says",
  "storage-opt": "layers are mounted as --layer-format says",
  "storage-opts": "layers are mounted as --layer-format says",
  iptables: "pier's rules stand in a table of its own; pier check names other firewalls",
  ip6tables: "pier's rules stand in a table of its own; pier check names other firewalls",
  "ip-forward": "forwarding is turned on by the first network that needs it",
  "ip-masq": "type: docker network create -o com.docker.network.bridge.enable_ip_masquerade=false",
  "userland-proxy": "each container's keeper relays what comes to its ports on the loopback",
  "userland-proxy-path": "each container's keeper relays what comes to its ports on the loopback",
  icc: "type: docker network create -o com.docker.network.bridge.enable_icc=false",
  bip: "name --default-address-pool, or create a network with --subnet",
  "fixed-cidr": "create a network with --subnet and --ip-range",
  bridge: "create a network, and name it with docker run --network",
  mtu: "create a network with -o com.docker.network.driver.mtu",
  ipv6: "create a network with --ipv6",
  "default-ulimit": "name them with docker run --ulimit",
  "default-ulimits": "name them with docker run --ulimit",
  "default-shm-size": "name it with docker run --shm-size",
  "default-cgroupns-mode": "name it with docker run --cgroupns",
  "default-ipc-mode": "name it with docker run --ipc",
  "cgroup-parent": "name it with docker run --cgroup-parent",
  init: "name it with docker run --init",
  dns: "name it with docker run --dns",
  "dns-opt": "name it with docker run --dns-option",
  "dns-opts": "name it with docker run --dns-option",
  "dns-search": "name it with docker run --dns-search",
  "no-new-privileges": "name it with docker run --security-opt no-new-privileges",
  "seccomp-profile": "name it with docker run --security-opt seccomp=FILE",
  containerd: "pier runs containers itself",
  "exec-opt": "pier makes its control groups itself, and keeps systemd off them",
  "exec-opts": "pier makes its control groups itself, and keeps systemd off them",
  "userns-remap": "user namespaces are not there yet",
  "shutdown-timeout": "containers live on when the daemon ends",
  experimental: "what there is can be used",
  "api-cors-header": "requests of browsers are refused",
  "metrics-addr": "numbers are at /containers/{id}/stats and /system/df",
  "authorization-plugin": "there are no plugins",
  "authorization-plugins": "there are no plugins",
  group: "name it with SocketGroup= of pier.socket",
};

/** What is instead of a dockerd's option, by its name without dashes; undefined for a name that dockerd has not either. */
export const insteadOf = (name: string): string | undefined =>
  Object.hasOwn(instead, name) ? instead[name] : undefined;
