/** The words of the chosen language. */

import { en, type Text } from "./en";

export const t: Text = en;
