/** What `--check` knows to be a mistake: BuildKit's rules, by its names and in its words. */

export interface Rule {
  readonly description: string;
  /** In the words of whoever wrote the Dockerfile; `%0`, `%1` are what the warning is about. */
  readonly sentence: string;
  /** Only where `# check=experimental=…` asks for it. */
  readonly isExperimental?: boolean;
}

export const rules = {
  StageNameCasing: {
    description: "Stage names should be lowercase",
    sentence: "Stage name '%0' should be lowercase",
  },
  FromAsCasing: {
    description: "The 'as' keyword should match the case of the 'from' keyword",
    sentence: "'%0' and '%1' keywords' casing do not match",
  },
  NoEmptyContinuation: {
    description: "Empty continuation lines will become errors in a future release",
    sentence: "Empty continuation line",
  },
  ConsistentInstructionCasing: {
    description: "All commands within the Dockerfile should use the same casing (either upper or lower)",
    sentence: "Command '%0' should match the case of the command majority (%1)",
  },
  DuplicateStageName: {
    description: "Stage names should be unique",
    sentence: 'Duplicate stage name "%0", stage names should be unique',
  },
  ReservedStageName: {
    description: "Reserved words should not be used as stage names",
    sentence: 'Stage name should not use the same name as reserved stage "%0"',
  },
  JSONArgsRecommended: {
    description: "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals",
    sentence: "JSON arguments recommended for %0 to prevent unintended behavior related to OS signals",
  },
  MaintainerDeprecated: {
    description: "The MAINTAINER instruction is deprecated, use a label instead to define an image author",
    sentence: "Maintainer instruction is deprecated in favor of using label",
  },
  UndefinedArgInFrom: {
    description: "FROM command must use declared ARGs",
    sentence: "FROM argument '%0' is not declared%1",
  },
  WorkdirRelativePath: {
    description:
      "Relative workdir without an absolute workdir declared within the build can have unexpected results if the base image changes",
    sentence: 'Relative workdir "%0" can have unexpected results if the base image changes',
  },
  UndefinedVar: {
    description: "Variables should be defined before their use",
    sentence: "Usage of undefined variable '$%0'%1",
  },
  MultipleInstructionsDisallowed: {
    description: "Multiple instructions of the same type should not be used in the same stage",
    sentence: "Multiple %0 instructions should not be used in the same stage because only the last one will be used",
  },
  LegacyKeyValueFormat: {
    description: "Legacy key/value format with whitespace separator should not be used",
    sentence: '"%0 key=value" should be used instead of legacy "%0 key value" format',
  },
  RedundantTargetPlatform: {
    description: "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior",
    sentence: "Setting platform to predefined %0 in FROM is redundant as this is the default behavior",
  },
  SecretsUsedInArgOrEnv: {
    description: "Sensitive data should not be used in the ARG or ENV commands",
    sentence: 'Do not use ARG or ENV instructions for sensitive data (%0 "%1")',
  },
  InvalidDefaultArgInFrom: {
    description: "Default value for global ARG results in an empty or invalid base image name",
    sentence: "Default value for ARG %0 results in empty or invalid base image name",
  },
  FromPlatformFlagConstDisallowed: {
    description: "FROM --platform flag should not use a constant value",
    sentence: 'FROM --platform flag should not use constant value "%0"',
  },
  CopyIgnoredFile: {
    description: "Attempting to Copy file that is excluded by .dockerignore",
    sentence: 'Attempting to %0 file "%1" that is excluded by .dockerignore',
  },
  ExposeProtoCasing: {
    description: "Protocol in EXPOSE instruction should be lowercase",
    sentence: "Defined protocol '%0' in EXPOSE instruction should be lowercase",
  },
  ExposeInvalidFormat: {
    description:
      "IP address and host-port mapping should not be used in EXPOSE instruction. This will become an error in a future release",
    sentence: "EXPOSE instruction should not define an IP address or host-port mapping, found '%0'",
  },
  InvalidDefinitionDescription: {
    description:
      "Comment for build stage or argument should follow the format: `# <arg/stage name> <description>`. If this is not intended to be a description comment, add an empty line or comment between the instruction and the comment.",
    sentence: "Comment for %0 should follow the format: `# %1 <description>`",
    isExperimental: true,
  },
} as const satisfies Readonly<Record<string, Rule>>;

export type RuleName = keyof typeof rules;

/** `JSONArgsRecommended` is at `…/json-args-recommended/`. */
export const addressOf = (name: RuleName): string => {
  const words = name.replaceAll(/([a-z])([A-Z])|([A-Z])([A-Z][a-z])/g, "$1$3-$2$4").toLowerCase();
  return `https://docs.docker.com/go/dockerfile/rule/${words}/`;
};

export const sentenceOf = (name: RuleName, words: readonly string[]): string =>
  rules[name].sentence.replaceAll(/%(\d)/g, (_, at: string) => words[Number(at)] ?? "");

/** What a Dockerfile, or whoever builds it, says of the rules themselves. */
export interface CheckOptions {
  readonly skipped: (name: RuleName) => boolean;
  /** A warning ends the build. */
  readonly isError: boolean;
}

const namesIn = (value: string): ((name: RuleName) => boolean) => {
  const names = new Set(value.split(",").map((name) => name.trim().toLowerCase()));
  return (name) => names.has("all") || names.has(name.toLowerCase());
};

/** `skip=RULE,RULE;error=true;experimental=all`; throws the reason for what is something else. */
export const parseCheckOptions = (text: string, wrong: (reason: string) => Error): CheckOptions => {
  let [skip, experimental, isError] = [namesIn(""), namesIn(""), false];
  for (const part of text.split(";").filter((one) => one.trim() !== "")) {
    const [, key = "", value = ""] = /^\s*([^=]*?)\s*=\s*(.*?)\s*$/.exec(part) ?? [];
    if (key === "skip") skip = namesIn(value);
    else if (key === "experimental") experimental = namesIn(value);
    else if (key === "error" && /^(1|0|t|f|true|false)$/i.test(value)) isError = /^(1|t|true)$/i.test(value);
    else throw wrong(`invalid check option ${JSON.stringify(part.trim())}`);
  }
  const isOff = (name: RuleName): boolean => (rules[name] as Rule).isExperimental === true && !experimental(name);
  return { skipped: (name) => skip(name) || isOff(name), isError };
};
