// A driver of an actuator: registers it in its own store, does what is written to it, and says so.
// Its node_modules come along in the upload.
'use strict';

const https = require('https');
const databox = require('node-databox');

const store = process.env.DATABOX_STORE_ENDPOINT;
const told = [];
let trouble = '';

const DESCRIPTIONS = [
	{ datasourceid: 'lamp', type: 'lamp', description: 'A lamp', isActuator: true, unit: '%' },
	{ datasourceid: 'state', type: 'lamp-state', description: 'What the lamp does', location: 'hall' }
];

async function obey(host, id, command) {
	told.push(command);
	await databox.keyValue.write(store, 'state', { command, number: told.length });
}

async function start() {
	await databox.waitForStoreStatus(store, 'active', 10);
	const notifications = await databox.subscriptions.connect(store);
	await new Promise((resolve, reject) => {
		notifications.once('open', resolve);
		notifications.once('error', reject);
	});
	notifications.on('data', (...event) => obey(...event).catch((error) => { trouble = String(error); }));
	await databox.subscriptions.subscribe(store, 'lamp', 'ts');
	for (const each of DESCRIPTIONS)
		await databox.catalog.registerDatasource(store, {
			contentType: 'text/json', vendor: 'Databox', storeType: 'store-json', ...each
		});
}

https.createServer(databox.getHttpsCredentials(), async (request, response) => {
	const state = await databox.keyValue.read(store, 'state').catch((error) => error);
	response.writeHead(200, { 'Content-Type': 'application/json' });
	response.end(JSON.stringify({ told, state, trouble }));
}).listen(8080);

start().catch((error) => { trouble = String(error); });
