// Calls every public function of node-databox, one after another, and shows what each gave on a
// page of its own, over HTTPS with the certificate that the package finds.
'use strict';

const https = require('https');
const databox = require('node-databox');

const item = JSON.parse(process.env.DATASOURCE_LAMP || 'null');
const lamp = item && item.href; // https://lamp-store:443/lamp
const store = lamp && lamp.replace(/\/[^/]+$/, '');
const DESTINATION = 'https://receiver.invalid/hook';
const SILENCE_MS = 400;

const results = {};
let finished = false;

async function step(name, work) {
	try {
		results[name] = { gave: await work() };
	} catch (error) {
		results[name] = { refused: error instanceof Error ? error.message : error };
	}
}

function nextEvent(notifications) {
	return new Promise((resolve, reject) => {
		setTimeout(() => reject('no event came'), 5000);
		notifications.once('data', (host, id, data) => resolve({ host, id, data }));
	});
}

function silence(notifications) {
	return new Promise((resolve) => {
		const heard = [];
		const listen = (host, id, data) => heard.push(data);
		notifications.on('data', listen);
		setTimeout(() => { notifications.removeListener('data', listen); resolve(heard); }, SILENCE_MS);
	});
}

async function status() {
	await step('status', async () =>
		(await databox.waitForStoreStatus(store, 'active', 5)) || 'nothing');
	await step('status.other', () => databox.waitForStoreStatus(store, 'standby', 1));
	const { key, cert } = databox.getHttpsCredentials();
	results.credentials = { gave: [key, cert].map((pem) => String(pem).includes('PRIVATE KEY')) };
}

async function catalogue() {
	const { catalog } = databox;
	await step('catalog.root', catalog.getRootCatalog);
	await step('catalog.stores', catalog.listAvailableStores);
	await step('catalog.store', () => catalog.getStoreCatalog(lamp));
	await step('catalog.walk', catalog.walkStoreCatalogs);
	await step('catalog.map', () => catalog.mapStoreCatalogs((each, n) => [n, each.items.length]));
	await step('catalog.register', () => catalog.registerDatasource(store, {
		description: 'Not mine', contentType: 'text/json', vendor: 'probe', type: 'lamp',
		datasourceid: 'forged', storeType: 'store-json'
	}));
	await step('catalog.register.partly', () => catalog.registerDatasource(store, {}));
}

async function keyValue() {
	const { keyValue: values } = databox;
	await step('kv.missing', () => values.read(lamp));
	await step('kv.write', () => values.write(lamp, { hue: 120 }));
	await step('kv.read', () => values.read(lamp));
	await step('kv.write.by.key', () => values.write(store, 'lamp', ['a', 1, null]));
	await step('kv.read.by.key', () => values.read(store, 'lamp'));
	await step('kv.other', () => values.read(store, 'state'));
}

async function timeSeries() {
	const { timeseries } = databox;
	const began = Date.now() - 1;
	await step('ts.write', () => timeseries.write(lamp, { on: true }));
	await step('ts.write.by.id', () => timeseries.write(store, 'lamp', { on: false }));
	const end = Date.now() + 1;
	await step('ts.latest', () => timeseries.latest(lamp));
	await step('ts.latest.by.id', () => timeseries.latest(store, 'lamp'));
	await step('ts.since', () => timeseries.since(lamp, began));
	await step('ts.since.by.id', () => timeseries.since(store, 'lamp', began));
	await step('ts.range', () => timeseries.range(lamp, began, end));
	await step('ts.range.by.id', () => timeseries.range(store, 'lamp', began, end));
	await step('ts.range.past', () => timeseries.range(lamp, began - 2000, began - 1000));
	await step('ts.other', () => timeseries.latest(store, 'state'));
}

async function subscriptions() {
	const { subscriptions: events, timeseries, keyValue: values } = databox;
	await step('sub.early', () => events.subscribe(lamp, 'ts'));
	let notifications;
	await step('sub.connect', async () => {
		notifications = await events.connect(lamp);
		await new Promise((resolve, reject) => {
			notifications.once('open', resolve);
			notifications.once('error', reject);
		});
		return 'open';
	});
	await step('sub.subscribe', () => events.subscribe(lamp, 'ts'));
	await step('sub.event', async () => {
		const [event] = await Promise.all([
			nextEvent(notifications), timeseries.write(lamp, { level: 7 })
		]);
		return event;
	});
	await step('sub.unsubscribe', () => events.unsubscribe(lamp, 'ts'));
	await step('sub.silence', async () => {
		const [heard] = await Promise.all([
			silence(notifications), timeseries.write(lamp, { level: 8 })
		]);
		return heard;
	});
	await step('sub.subscribe.kv', () => events.subscribe(store, 'lamp', 'kv'));
	await step('sub.event.kv', async () => {
		const [event] = await Promise.all([
			nextEvent(notifications), values.write(lamp, { hue: 240 })
		]);
		return event;
	});
	await step('sub.unsubscribe.kv', () => events.unsubscribe(store, 'lamp', 'kv'));
	await step('sub.other', () => events.subscribe(store, 'state', 'kv'));
}

async function exporting() {
	await step('export.longpoll', () => databox.export.longpoll(DESTINATION, { count: 3 }));
	await step('export.other', () => databox.export.longpoll(`${DESTINATION}/more`, {}));
	await step('export.queue', () => databox.export.queue(DESTINATION, 'key', {}));
}

async function everything() {
	results.environment = {
		gave: {
			arbiter: process.env.DATABOX_ARBITER_ENDPOINT,
			exports: process.env.DATABOX_EXPORT_SERVICE_ENDPOINT,
			greeting: process.env.PROBE_GREETING,
			lamp,
			name: process.env.DATABOX_LOCAL_NAME,
			version: require('node-databox/package.json').version
		}
	};
	if (lamp) {
		for (const part of [status, catalogue, keyValue, timeSeries, subscriptions, exporting])
			await part();
	}
	finished = true;
}

function page() {
	const text = JSON.stringify({ finished, results }).replace(/</g, '\\u003c');
	return `<!doctype html><title>Probe</title><pre id="results">${text}</pre>\n`;
}

https.createServer(databox.getHttpsCredentials(), (request, response) => {
	response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' });
	response.end(page());
}).listen(8080);

everything();
