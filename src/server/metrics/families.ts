import { busFamilies } from './families/bus-families.ts';
import { callFamilies } from './families/call-families.ts';
import { connectionFamilies } from './families/connection-families.ts';
import type { Family } from './families/family.ts';
import { serverFamilies } from './families/server-families.ts';
import { storeFamilies } from './families/store-families.ts';
import { upkeepFamilies } from './families/upkeep-families.ts';

/** Every metric of chat's own; docs/operating.md has a table of them in this order. */
export const families: readonly Family[] = [
  ...serverFamilies,
  ...connectionFamilies,
  ...callFamilies,
  ...storeFamilies,
  ...busFamilies,
  ...upkeepFamilies,
];
