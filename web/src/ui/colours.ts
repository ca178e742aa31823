/** The colour of a port type: fixed for the common ones, from the letters of the name for any other. */

const HUES: Readonly<Record<string, number>> = {
  Model: 290,
  TextEncoder: 85,
  Vae: 25,
  Conditioning: 55,
  Latent: 345,
  Image: 245,
  Mask: 155,
  str: 115,
  int: 190,
  float: 210,
  bool: 5,
  Path: 130,
};

export function hueOf(type: string): number {
  const name = type.replace(/^list\[|\]$/g, "").replace(/ \|.*/, ""); // of a union, its first
  const known = HUES[name];
  if (known !== undefined) return known;
  let sum = 7;
  for (const letter of name) sum = (sum * 31 + letter.charCodeAt(0)) % 3600;
  return (sum * 137) % 360;
}

/** The colours that a node, a note or a group can be given, by name. */
export const NODE_COLOURS: Readonly<Record<string, number>> = {
  red: 25,
  orange: 60,
  yellow: 95,
  green: 150,
  teal: 195,
  blue: 250,
  purple: 300,
  pink: 350,
};
