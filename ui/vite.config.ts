import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'

// The bundle is committed as package data of the gateway, so the output must be the same bytes on
// every machine, and must hold under a policy that refuses inline scripts and inline styles.
export default defineConfig({
  plugins: [svelte()],
  base: '/',
  build: {
    outDir: '../src/databox/gateway/web',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    cssCodeSplit: false,
    sourcemap: false,
    reportCompressedSize: false,
  },
})
