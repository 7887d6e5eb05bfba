/** Short messages that something was done; with an undo where there is a way back. */

export interface Toast {
  id: number
  text: string
  undo?: () => void
}

const STAY_MS = 8000

class Toasts {
  list = $state<Toast[]>([])
  #next = 1

  say(text: string, undo?: () => void): void {
    const toast: Toast = { id: this.#next++, text, undo }
    this.list.push(toast)
    setTimeout(() => this.drop(toast.id), STAY_MS)
  }

  drop(id: number): void {
    this.list = this.list.filter((toast) => toast.id !== id)
  }
}

export const toasts = new Toasts()
