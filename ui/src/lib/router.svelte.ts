/**
 * Which page is shown. A plain link is followed without loading anything, except for an app's own
 * screen: the policy that pins its frame is a header, so opening it must be a real navigation.
 */

const REAL = /^\/apps\/[^/]+\/open\/?$/

class Router {
  path = $state(location.pathname)
  query = $state(location.search)

  constructor() {
    addEventListener('popstate', () => this.#read())
    document.addEventListener('click', (event) => this.#click(event))
  }

  go(to: string): void {
    if (REAL.test(new URL(to, location.origin).pathname)) {
      location.assign(to)
      return
    }
    history.pushState(null, '', to)
    this.#read()
    scrollTo({ top: 0 })
  }

  #read(): void {
    this.path = location.pathname
    this.query = location.search
  }

  #click(event: MouseEvent): void {
    const link = event.target instanceof Element ? event.target.closest('a') : null
    if (!link || link.origin !== location.origin || link.hasAttribute('download')) return
    if (link.target || link.getAttribute('href')?.startsWith('#')) return
    if (event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
    event.preventDefault()
    this.go(link.pathname + link.search)
  }
}

export const router = new Router()

/** The parts of a path: `/apps/hello/open` is `['apps', 'hello', 'open']`. */
export function parts(path: string): string[] {
  return path.split('/').filter(Boolean).map(decodeURIComponent)
}
