const to = new URL(location.href).searchParams.get('to')
self.addEventListener('install', (event) => event.waitUntil(fetch(to, { mode: 'no-cors' })))
