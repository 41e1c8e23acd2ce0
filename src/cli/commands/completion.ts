/** `pier completion`: what a shell must be told to ask us. */
import { command } from "../command.ts";
import { cliError } from "../errors.ts";
import { print } from "../streams/output.ts";

/** Where we know nothing, files are offered. */
const scripts: Readonly<Record<string, string>> = {
  bash: `_pier() {
  local IFS=$'\\n'
  COMPREPLY=($(pier __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
  if declare -F __ltrim_colon_completions >/dev/null; then __ltrim_colon_completions "\${COMP_WORDS[COMP_CWORD]}"; fi
}
complete -o default -F _pier pier
`,
  zsh: `#compdef pier
_pier() {
  local -a found
  found=("\${(@f)$(pier __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "$found" ]]; then compadd -a found; else _files; fi
}
compdef _pier pier
`,
  fish: `function __pier_complete
  set -l words (commandline --tokenize --cut-at-cursor) (commandline --current-token --cut-at-cursor)
  pier __complete $words[2..] 2>/dev/null
end
complete --command pier --arguments '(__pier_complete)'
`,
};

export const completion = command({
  usage: "SHELL",
  flags: {},
  least: 1,
  most: 1,
  run: ({ positional }) => {
    const script = scripts[positional[0]!];
    if (script === undefined || !Object.hasOwn(scripts, positional[0]!))
      throw cliError("unknownShell", { shell: positional[0]! });
    print(script);
    return Promise.resolve(0);
  },
});
