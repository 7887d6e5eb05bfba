/** What can be asked of the box, one line for each endpoint that the dashboard uses. */
import { Api, BoxError } from './api'
import { parted } from './check'
import { Live } from './live'
import type * as wire from './types'

export const api = new Api()
export const live = new Live(api)

const path = encodeURIComponent

export const box = {
  status: () => api.get<wire.Status>('/api/status'),
  setUp: (request: wire.SetupRequest) => api.post<wire.SetupReply>('/api/setup', request),
  signIn: (request: wire.LoginRequest) => api.post<wire.Session>('/api/login', request),
  recover: (request: wire.RecoverRequest) => api.post<wire.Session>('/api/recover', request),
  proveRecovery: (part: string) => api.post('/api/recovery-proof', { part }),
  newRecovery: (passphrase: string) =>
    api.post<wire.NewRecoveryReply>('/api/recovery-code', { passphrase }),
  whoAmI: () => api.get<wire.SessionOwner>('/api/whoami'),
  signOut: () => api.post('/api/logout'),

  components: () => api.get<wire.Components>('/api/components').then((all) => all.components),
  component: (name: string) => api.get<wire.Component>(`/api/components/${path(name)}`),
  componentConsent: (name: string) =>
    api.get<wire.ConsentScreen>(`/api/components/${path(name)}/consent`),
  choose: (request: wire.GrantMoreRequest) =>
    api.post<wire.Component>(`/api/components/${path(request.component)}/choices`, request),
  log: (name: string) => api.get<wire.LogReply>(`/api/components/${path(name)}/log`),
  restart: (name: string) => api.post<wire.Component>(`/api/components/${path(name)}/restart`),
  uninstall: (name: string, keep: boolean) =>
    api.post(`/api/components/${path(name)}/uninstall`, { keep }),

  offers: () => api.get<wire.Offers>('/api/offers').then((all) => all.offers),
  offer: (name: string) => api.get<wire.ConsentScreen>(`/api/offers/${path(name)}`),
  uploaded: (digest: string) => api.get<wire.ConsentScreen>(`/api/packages/${path(digest)}`),
  install: (request: wire.InstallRequest) => api.post<wire.Component>('/api/install', request),

  sources: () => api.get<wire.Sources>('/api/sources').then((all) => all.sources),
  troubles: () => api.get<wire.Sources>('/api/sources').then((all) => all.troubles ?? []),
  latest: (store: string, source: string) =>
    api.get<unknown>(`/api/stores/${path(store)}/${path(source)}/ts/latest`),
  range: (store: string, source: string, start: number, end: number) =>
    api.get<unknown>(`/api/stores/${path(store)}/${path(source)}/ts/range`, {
      startTimestamp: String(start),
      endTimestamp: String(end),
    }),
  length: (store: string, source: string, from: number, to: number) =>
    api.get<wire.Length>(`/api/stores/${path(store)}/${path(source)}/ts/length`, {
      from: String(from),
      to: String(to),
    }),
  deleteValues: (store: string, source: string, from: number, to: number) =>
    api.post<wire.Deleted>(`/api/stores/${path(store)}/${path(source)}/ts/delete`, { from, to }),
  retentions: (store: string) =>
    api.get<wire.Retentions>(`/api/stores/${path(store)}/retention`).then((all) => all.sources),
  retention: (store: string, source: string, days: number) =>
    api.get<wire.RetentionPreview>(`/api/stores/${path(store)}/${path(source)}/retention`, {
      days: String(days),
    }),
  retain: (store: string, source: string, days: number | null) =>
    api.post<wire.RetentionPreview>(`/api/stores/${path(store)}/${path(source)}/retention`, {
      days,
    }),
  left: () => api.get<wire.LeftSources>('/api/left').then((all) => all.sources),
  forget: (name: string) => api.post(`/api/left/${path(name)}/forget`),

  grants: (ended = false) =>
    api.get<wire.Grants>('/api/grants', ended ? { ended: '1' } : {}).then((all) => all.grants),
  stopAccess: (request: wire.StopAccessRequest) =>
    api.post<wire.StopAccessReply>('/api/stop-access', request),

  canary: () => api.post<wire.CanaryReply>('/api/canary'),
  canaryVerdict: (id: string) => api.get<wire.CanaryVerdict>(`/api/canary/${path(id)}`),
  open: (name: string) => api.post<wire.OpenReply>(`/api/apps/${path(name)}/open`),
  view: (name: string) => api.get<wire.Screen>(`/api/apps/${path(name)}/view`),
  postForm: (name: string, post: wire.FormPost) =>
    api.post<wire.Screen>(`/api/apps/${path(name)}/form`, post),

  history: (query: Record<string, string>) => api.get<wire.History>('/api/history', query),
  /** The whole History, page by page. */
  async *bundle() {
    for (let at: number | null = 0; at !== null; ) {
      const page = parted(await api.bytes(`/api/history/bundle?from=${at}`))
      yield page.lines
      // A page that does not lead on would be asked for again and again.
      if (page.next !== null && page.next <= at) throw new BoxError(502, 'garbled', '')
      at = page.next
    }
  },
  checkpoint: () => api.get<wire.Checkpoint>('/api/history/checkpoint'),
  consistency: (from: number, to: number) =>
    api.get<wire.Consistency>('/api/history/consistency', { from: `${from}`, to: `${to}` }),
  reads: (query: Record<string, string>) => api.get<wire.Reads>('/api/history/reads', query),
  alarms: () => api.get<wire.Alarms>('/api/history/alarms').then((all) => all.alarms),
  accept: (store: string) => api.post('/api/history/accept', { store }),

  parts: () => api.get<wire.BoxReport>('/api/parts'),

  exports: () => api.get<wire.Exports>('/api/exports').then((all) => all.exports),
  export: (id: string) => api.get<wire.ExportItem>(`/api/exports/${path(id)}`),
  cancelExport: (id: string) => api.post<wire.ExportItem>(`/api/exports/${path(id)}/cancel`),
  retryExport: (id: string) => api.post<wire.ExportItem>(`/api/exports/${path(id)}/retry`),
}
