import type { Figure, Lab } from './lab.ts';
export async function loginStorm(_lab: Lab): Promise<Figure[]> {
  return [];
}
