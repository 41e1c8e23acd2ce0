const sorted = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);

/** The value below which this part (0 to 1) of the samples lies; NaN without samples. */
export const quantile = (values: readonly number[], part: number): number => {
  const all = sorted(values);
  const place = (all.length - 1) * part;
  const below = all[Math.floor(place)] ?? Number.NaN;
  const above = all[Math.ceil(place)] ?? Number.NaN;
  return below + (above - below) * (place - Math.floor(place));
};

export const median = (values: readonly number[]): number => quantile(values, 0.5);

export const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
