/**
 * Whether this browser can seal an app's own pages. The last ways out (self-navigation's look-ups,
 * connections to candidates that a page invents) are closed by `Connection-Allowlist`, which came
 * with Chromium 152; no other engine has it.
 */

const FIRST_SEALED = 152
const SHELF = 'databox.unsealed.'

interface Brand {
  brand: string
  version: string
}

/** `brands`: as the browser names itself and its engine. */
export function sealsWith(brands: readonly Brand[] | undefined): boolean {
  const engine = brands?.find(({ brand }) => brand === 'Chromium')
  return Number(engine?.version ?? 0) >= FIRST_SEALED
}

export function canSeal(): boolean {
  return sealsWith((navigator as { userAgentData?: { brands: Brand[] } }).userAgentData?.brands)
}

/** The owner opened this app's pages in spite of it, in this browser. */
export function accepted(name: string): boolean {
  return localStorage.getItem(SHELF + name) === 'yes'
}

export function accept(name: string): void {
  localStorage.setItem(SHELF + name, 'yes')
}
