/** What can go wrong at the door to Linux. */
export const kernelErrors = {
  nulInText: { status: 400, sentence: "a text for the kernel holds a NUL byte: {text}" },
  tooManySlots: { status: 500, sentence: "a plan has more than {limit} open files at a time" },
  slotMissing: { status: 500, sentence: "a step that works on an open file was given none" },
  toleratesTooMuch: { status: 500, sentence: "step {step} tolerates more than four error numbers" },
  wrongLane: { status: 500, sentence: "step {step} cannot stand in the {lane} lane" },
  keeperMissing: {
    status: 500,
    sentence: "the keeper could not be started from {path}",
    hint: "run ./pier once to build it",
  },
  keeperNotStarted: { status: 500, sentence: "the keeper could not be started: {reason}" },
  keeperLost: { status: 500, sentence: "the keeper ended before its work was done" },
  keeperProtocol: { status: 500, sentence: "a keeper said something that is not in the protocol: {what}" },
  profileNotLoaded: {
    status: 500,
    sentence: "AppArmor is enabled, but the default profile could not be loaded: {reason}",
    hint: "apt-get install apparmor, or run containers with --security-opt apparmor=unconfined",
  },
} as const;
