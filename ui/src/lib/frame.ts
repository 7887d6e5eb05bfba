/**
 * Opening an app's own pages. The policy that lets one frame in is a header of the page, so the
 * page is loaded anew with the frame's name in its address, and the one-use ticket waits here.
 */
import type { OpenReply } from './types'

const SHELF = 'databox.frame.'

interface Waiting {
  origin: string
  ticket: string
}

/** Where to go so that the page may show this frame. */
export function leaveTicket(name: string, { origin, ticket }: OpenReply): string {
  sessionStorage.setItem(SHELF + name, JSON.stringify({ origin, ticket }))
  return `/apps/${encodeURIComponent(name)}/open?frame=${encodeURIComponent(labelOf(origin))}`
}

/** The frame's address, once, if this page was loaded for it. */
export function takeTicket(name: string, query: string): string | null {
  const text = sessionStorage.getItem(SHELF + name)
  sessionStorage.removeItem(SHELF + name)
  if (!text) return null
  const { origin, ticket } = JSON.parse(text) as Waiting
  if (new URLSearchParams(query).get('frame') !== labelOf(origin)) return null
  return `${origin}/databox-ticket?t=${encodeURIComponent(ticket)}`
}

/** `abc` of `http://abc.localhost:8989`. */
export function labelOf(origin: string): string {
  return new URL(origin).hostname.split('.')[0] ?? ''
}
