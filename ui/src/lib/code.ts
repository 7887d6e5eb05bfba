/**
 * The one-time set-up code from the address, `#code=…` or `#…`. It is taken out of the address at
 * once, so that it stays in no history, bookmark or screenshot.
 */
export function takeCode(): string {
  const fragment = decodeURIComponent(location.hash.slice(1))
  if (!fragment) return ''
  history.replaceState(null, '', location.pathname + location.search)
  return fragment.startsWith('code=') ? fragment.slice('code='.length) : fragment
}
