/** The help of `--format`. */
export const formatHelp = (kind: "table" | "plain"): string =>
  [
    "Format output using a custom template:",
    ...(kind === "table"
      ? [
          "'table':            Print output in table format with column headers (default)",
          "'table TEMPLATE':   Print output in table format using the given Go template",
        ]
      : []),
    "'json':             Print in JSON format",
    "'TEMPLATE':         Print output using the given Go template",
  ].join("\n");
