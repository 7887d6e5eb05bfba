/** How this browser shows the box: kept here, since it says nothing about the owner's data. */

export type Theme = 'system' | 'light' | 'dark'

const THEME = 'databox.theme'
const TECHNICAL = 'databox.technical'

class Appearance {
  theme = $state<Theme>(readTheme())
  technical = $state(localStorage.getItem(TECHNICAL) === 'yes')

  constructor() {
    this.#show()
  }

  setTheme(theme: Theme): void {
    this.theme = theme
    localStorage.setItem(THEME, theme)
    this.#show()
  }

  setTechnical(on: boolean): void {
    this.technical = on
    localStorage.setItem(TECHNICAL, on ? 'yes' : 'no')
  }

  #show(): void {
    const root = document.documentElement
    if (this.theme === 'system') root.removeAttribute('data-theme')
    else root.setAttribute('data-theme', this.theme)
  }
}

function readTheme(): Theme {
  const kept = localStorage.getItem(THEME)
  return kept === 'light' || kept === 'dark' ? kept : 'system'
}

export const appearance = new Appearance()
