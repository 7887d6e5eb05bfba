import { expect, test } from 'vitest'

import { agreement, choices, farBackSteps, firstAnswers, KEEP, lacking, sendsTo } from '../src/lib/consent'
import type { AskRow, ConsentScreen, SourceRow } from '../src/lib/types'

const DAY = 86_400_000
const NOW = 1_800_000_000_000
const row = (id: string): SourceRow => ({
  store: 'clock-store', id, type: 'tick', description: `Ticks of ${id}`, unit: '', vendor: '',
  store_type: '', actuator: false, driver: 'clock', fields: [],
})
const ask = (more: Partial<AskRow> = {}): AskRow => ({
  clientid: 'TICK', type: 'tick', why: 'to count', required: true, exact: ['raw', 'PT1M'], far_back: 1,
  act: false, candidates: [row('wall')], providers: [], current: null, ...more,
})
const screen = (more: Partial<ConsentScreen> = {}): ConsentScreen => ({
  name: 'counter', title: 'Counter', kind: 'app', version: '1', maker: '', package: 'p', signature: '',
  purpose: '', headline: '', leaves: false, asks: [ask()],
  exports: [{ url: 'https://a.test/x', host: 'a.test', description: '', what: '', reply: false, current: null }],
  outside: [], provides: [], notes: [], pages: false, installed: false, icon: '', ...more,
})

test('the only source of a needed ask is picked beforehand', () => {
  expect(firstAnswers(screen()).asks[0]?.picked).toBe(0)
})

test('nothing is picked beforehand where there is a choice', () => {
  const two = screen({ asks: [ask({ candidates: [row('wall'), row('wrist')] })] })
  expect(firstAnswers(two).asks[0]?.picked).toBe(-1)
})

test('nothing is picked beforehand where the app can do without', () => {
  expect(firstAnswers(screen({ asks: [ask({ required: false })] })).asks[0]?.picked).toBe(-1)
})

test('no destination is allowed beforehand', () => {
  expect(choices(screen(), firstAnswers(screen()), NOW).exports).toEqual([
    { url: 'https://a.test/x', allowed: false, until: null },
  ])
})

test('what is granted ends after thirty days unless the owner says otherwise', () => {
  expect(choices(screen(), firstAnswers(screen()), NOW).sources?.[0]).toEqual({
    clientid: 'TICK', store: 'clock-store', source: 'wall', exact: 'raw',
    fields: null, since: NOW - DAY, until: NOW + 30 * DAY, act: false,
  })
})

test('parts of a value that are not ticked stay hidden, and are left out of the sentence', () => {
  const walk = screen({ asks: [ask({ candidates: [{ ...row('wall'), fields: ['lat', 'lon', 'name'] }] })] })
  const answers = firstAnswers(walk)
  answers.asks[0]!.without = ['name']
  const agreed = choices(walk, answers, NOW)
  expect(agreed.sources?.[0]?.fields).toEqual(['lat', 'lon'])
  expect(agreement(walk, answers, agreed)).toContain('Every value, only lat, lon')
})

test('of a place to a distance there are no parts to pick', () => {
  const walk = screen({ asks: [ask({ exact: ['raw', '1 km'], candidates: [{ ...row('wall'), fields: ['lat', 'lon'] }] })] })
  const answers = firstAnswers(walk)
  Object.assign(answers.asks[0]!, { exact: '1 km', without: ['lat'] })
  expect(choices(walk, answers, NOW).sources?.[0]?.fields).toBeNull()
})

test('parts that were hidden before stay hidden', () => {
  const candidates = [{ ...row('wall'), fields: ['lat', 'lon', 'name'] }]
  const current = { clientid: 'TICK', store: 'clock-store', source: 'wall', fields: ['lat'] }
  expect(firstAnswers(screen({ asks: [ask({ candidates, current })] })).asks[0]?.without).toEqual(['lon', 'name'])
})

test('picking nothing grants nothing', () => {
  const answers = firstAnswers(screen())
  answers.asks[0]!.picked = -1
  expect(choices(screen(), answers, NOW).sources).toEqual([{ clientid: 'TICK' }])
  expect(lacking(screen(), answers)).toHaveLength(1)
})

test('an app that asks for everything gets only what comes from now on, unless chosen', () => {
  expect(farBackSteps(ask({ far_back: null }))[0]).toBe(0)
})

test('an app that asks for nothing old is offered nothing old', () => {
  expect(farBackSteps(ask({ far_back: 0 }))).toEqual([0])
})

test('changing an app keeps what was agreed, also its end', () => {
  const current = { clientid: 'TICK', store: 'clock-store', source: 'wall', exact: 'PT1M' as const, fields: null, since: 5, until: 9, act: false }
  const sending = { url: 'https://a.test/x', allowed: true, until: 11 }
  const exports = [{ ...screen().exports[0]!, current: sending }]
  const installed = screen({ installed: true, asks: [ask({ current })], exports })
  const answers = firstAnswers(installed)
  expect(answers.untilDays).toBe(KEEP)
  expect(choices(installed, answers, NOW)).toEqual({ sources: [current], exports: [sending] })
})

test('an app whose access was stopped has nothing picked', () => {
  const installed = screen({ installed: true, asks: [ask({ current: null })] })
  expect(firstAnswers(installed).asks[0]?.picked).toBe(-1)
})

test('the agreement says every line of it, also what was refused', () => {
  const two = screen({ asks: [ask(), ask({ clientid: 'B', type: 'tock', candidates: [] })] })
  const answers = firstAnswers(two)
  const text = agreement(two, answers, choices(two, answers, NOW))
  expect(text.split('\n')).toEqual([
    'Install Counter 1.',
    expect.stringMatching(/^May see Ticks of wall: Every value, values since .*, until .*\. Why: to count$/),
    'May not see: Tock.',
    'May not send to https://a.test/x.',
  ])
})

test('hosts are named once, and only when allowed', () => {
  const answers = firstAnswers(screen())
  expect(sendsTo(screen(), answers)).toEqual([])
  answers.exports.push('https://a.test/x')
  expect(sendsTo(screen(), answers)).toEqual(['a.test'])
})
