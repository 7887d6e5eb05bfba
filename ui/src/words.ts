/**
 * Everything that stands on the screen, in one table; `tests/words.test.ts` keeps it so.
 *
 * The words are the owner's. A program's word has no place here: who reads this page owns a box
 * and need not know how it is built.
 */
import { apps, consent, screen, store } from './words/apps'
import { changed, putBack, reads } from './words/changed'
import { common, errors, exactness } from './words/common'
import { entry } from './words/entry'
import { home } from './words/home'
import { deleting, keeping, left } from './words/keeping'
import { exportsPage, history, settings, sources, who } from './words/pages'

export const words = {
  ...common,
  errors,
  exactness,
  entry,
  home,
  apps,
  screen,
  consent,
  store,
  sources,
  who,
  exports: exportsPage,
  history,
  changed,
  putBack,
  keeping,
  deleting,
  left,
  reads,
  settings,
} as const
