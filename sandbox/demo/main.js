#!/usr/bin/env node
// @ts-check
/**
 * `make run`: a platform on its embedded PostgreSQL, the simulated WhatsApp beside it, a demo workspace, and a first
 * message followed from POST to the signed webhook. Then it serves until Ctrl-C. What it made is kept for the next time.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { createWriteStream, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { buildFolder, freePort, request, startHarkara, startReceiver, startSandbox, until } from './platform.js';

const PERSON = '+919812345678';
const SHORT_CODE = '56161';
/** What the demo workspace has registered with India's operators, here and in the simulated operator's registry alike. */
const DLT = {
    entity: '1101172974420810001', telemarketer: '1101172974420830004', header: 'HRKARA', entityName: 'Demo Traders Private Limited',
    templates: [
        { registered_id: '1107172974420840001', name: 'Code', category: 'transactional', header: 'HRKARA', text: 'Your code is {#numeric#}. Do not tell it to anybody. -HRKARA' },
        { registered_id: '1107172974420840002', name: 'Order shipped', category: 'service', header: 'HRKARA', text: 'Dear {#var#}, your order {#alphanumeric#} has shipped. Follow it at {#url#} -HRKARA' },
        { registered_id: '1107172974420840003', name: 'Order shipped (Hindi)', category: 'service', header: 'HRKARA', text: 'प्रिय {#var#}, आपका ऑर्डर {#alphanumeric#} भेज दिया गया है। -HRKARA' },
        { registered_id: '1107172974420840004', name: 'Festival sale', category: 'promotional', header: SHORT_CODE, text: 'Festival sale: {#numeric#} percent off until {#var#}. Reply STOP to hear no more. -HRKARA' },
    ],
    link: 'https://shop.example.in/?',
};
const FIRST_SMS = 'Dear Asha, your order A1042 has shipped. Follow it at https://shop.example.in/?A1042 -HRKARA';
const isRoot = process.getuid?.() === 0;
const stateDir = process.env.HARKARA_STATE_DIR ?? (isRoot ? '/var/lib/harkara' : path.join(homedir(), '.local/state/harkara'));
const runDir = process.env.HARKARA_RUN_DIR ?? (isRoot ? '/run/harkara' : path.join(stateDir, 'run'));
const demoDir = process.env.HARKARA_DEMO_DIR ?? (isRoot ? '/var/lib/harkara-demo' : path.join(homedir(), '.local/state/harkara-demo'));
const demoFile = path.join(demoDir, 'demo.json');
const say = (text = '') => process.stdout.write(`${text}\n`);
const bold = (text) => (process.stdout.isTTY ? `\x1b[1m${text}\x1b[0m` : text);
const dim = (text) => (process.stdout.isTTY ? `\x1b[2m${text}\x1b[0m` : text);

/** What the demo has made: ids, its key and secrets, readable by its owner only. */
const demo = existsSync(demoFile) ? JSON.parse(readFileSync(demoFile, 'utf8')) : {};
function keep(more) {
    Object.assign(demo, more);
    writeFileSync(demoFile, JSON.stringify(demo, null, 2), { mode: 0o600 });
}

let sandbox, harkara, receiver, stopping = false;

async function stopAll(code) {
    if (stopping)
        return;
    stopping = true;
    say();
    say('Stopping ...');
    await harkara?.stop().catch(() => {});
    await sandbox?.stop().catch(() => {});
    receiver?.stop();
    say('Stopped. Everything is kept; "make run" goes on from here.');
    process.exit(code);
}

const api = (method, target, body, headers = {}) =>
    request(`${harkara.url}${target}`, { method, body, headers: { authorization: `Bearer ${demo.key}`, ...headers } });

async function must(method, target, body, headers) {
    const answer = await api(method, target, body, headers);
    if (answer.status >= 300)
        throw new Error(`${method} ${target} answered ${answer.status}: ${answer.text}`);
    return answer.json;
}

async function workspace() {
    if (demo.tenant === undefined) {
        const tenant = await harkara.json('tenant', 'create', '--name', 'Demo workspace', '--slug', 'demo');
        keep({ tenant: tenant.id });
    }
    if (demo.key === undefined) {
        const key = await harkara.json('key', 'create', '--tenant', demo.tenant, '--name', 'Demo key', '--scope', 'all');
        keep({ key: key.key });
    }
    if (demo.channel === undefined) {
        const secrets = { access_token: `EAAsandbox${randomBytes(24).toString('hex')}`, app_secret: randomBytes(16).toString('hex'), verify_token: randomBytes(12).toString('hex') };
        const ids = { waba_id: '102290129340398', phone_number_id: '106540352242922', display_phone_number: '+1 555 078 3881' };
        await sandbox.control('POST', '/accounts', { ...ids, display_phone_number: '15550783881', ...secrets }); /* Harkara asks about the number at once */
        const channel = await must('POST', '/v1/channels', { kind: 'whatsapp', name: 'WhatsApp (sandbox)', whatsapp: { ...ids, ...secrets } });
        keep({ channel: channel.id, account: { ...ids, display_phone_number: '15550783881', ...secrets } });
    }
    /* The simulator learns the number and its callback each time: the port may have changed. */
    const account = await sandbox.control('POST', '/accounts', {
        ...demo.account, callback_url: `${harkara.url}/callbacks/whatsapp/${demo.channel}`, settings: { window: 'ignore', auto_read: true },
    });
    if (account.status >= 300 && account.status !== 409)
        throw new Error(`the sandbox refused the account: ${account.text}`);
    await sms();
    await endpoint();
}

/** A sender through the simulated SMS operator, which may listen elsewhere than last time. */
async function sms() {
    const port = Number(new URL(sandbox.smsc_url).port), at = { host: '127.0.0.1', port, state: 'active', password: 'sandbox', dlt: { entity_tag: 0x1400, template_tag: 0x1401, chain_tag: 0x1402 } };
    if (demo.connector === undefined) {
        const { state: _, ...where } = at;
        const connector = await must('POST', '/v1/sms/connectors', { name: 'Sandbox operator', ...where, tls: false, system_id: 'harkara' });
        await must('POST', '/v1/sms/routes', { connector_id: connector.id });
        keep({ connector: connector.id });
    } else {
        await must('PATCH', `/v1/sms/connectors/${demo.connector}`, at);
    }
    await registry();
    if (demo.sms === undefined)
        keep({ sms: (await must('POST', '/v1/channels', { kind: 'sms', name: 'SMS (sandbox)', sms: { sender: SHORT_CODE, sender_kind: 'short-code' } })).id });
    if (demo.smsIndia === undefined)
        keep({ smsIndia: (await must('POST', '/v1/channels', { kind: 'sms', name: 'SMS to India (sandbox)', sms: { sender: DLT.header, sender_kind: 'alphanumeric' } })).id });
}

/** India's registry, step by step: a demo of before, or one that was stopped midway, gets what it has not. */
async function registry() {
    if (demo.dlt !== undefined)
        return; /* what a person has removed since then stays away */
    const have = await must('GET', '/v1/dlt');
    const entity = have.entities.find(({ registered_id }) => registered_id === DLT.entity) ?? await must('POST', '/v1/dlt/entities', { registered_id: DLT.entity, name: DLT.entityName });
    /** Made already, by a start that did not come to its end: 409, or 422 for a name that is there. */
    const make = async (target, body) => {
        const answer = await api('POST', target, body);
        if (answer.status >= 300 && !/already/.test(answer.text))
            throw new Error(`POST ${target} answered ${answer.status}: ${answer.text}`);
    };
    if (have.chains.length === 0)
        await make('/v1/dlt/chains', { entity_id: entity.id, telemarketers: [{ registered_id: DLT.telemarketer, name: 'Sandbox operator' }] });
    for (const name of [DLT.header, SHORT_CODE])
        await make('/v1/dlt/headers', { entity_id: entity.id, name });
    await make('/v1/dlt/links', { kind: 'dynamic', value: DLT.link });
    for (const { header, ...template } of DLT.templates)
        await make('/v1/dlt/templates', { entity_id: entity.id, kind: 'content', ...template, headers: [header] });
    keep({ dlt: entity.id });
}

/** The simulated operator compares each SMS to India with its own registry, as a real one does. */
async function operatorsRegistry() {
    const answer = await sandbox.control('PUT', '/smsc/dlt', {
        entities: [{ id: DLT.entity }], headers: [DLT.header, SHORT_CODE].map((header) => ({ header, entity: DLT.entity })),
        templates: DLT.templates.map(({ registered_id: id, text, category, header }) => ({ id, entity: DLT.entity, headers: [header], text, category })),
        chains: [{ entity: DLT.entity, telemarketers: [DLT.telemarketer] }], blocked: [],
    });
    if (answer.status >= 300)
        throw new Error(`the sandbox refused the registry: ${answer.text}`);
}

async function endpoint() {
    if (demo.endpoint !== undefined) {
        const moved = await api('PATCH', `/v1/webhook-endpoints/${demo.endpoint}`, { url: receiver.url, state: 'enabled' });
        if (moved.status < 300)
            return;
    }
    const made = await must('POST', '/v1/webhook-endpoints', { url: receiver.url, description: 'The demo itself', events: ['*'] });
    keep({ endpoint: made.id, secret: made.secret });
}

/** What is only a demo's risk is said all the same. */
async function warnOfMemory() {
    const { processes } = await harkara.status();
    if (processes.some(({ memory }) => memory === 'unlocked'))
        say(dim('Little memory may be locked here (ulimit -l): the keys of this demo may be swapped out.'));
}

/** Standard Webhooks, as any receiver would check it. */
function verifies({ headers, body }) {
    const key = Buffer.from(demo.secret.slice('whsec_'.length), 'base64');
    const wanted = createHmac('sha256', key).update(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`).digest();
    return String(headers['webhook-signature']).split(' ').some((part) => {
        const given = Buffer.from(part.replace(/^v1,/, ''), 'base64');
        return part.startsWith('v1,') && given.length === wanted.length && timingSafeEqual(given, wanted);
    });
}

async function firstMessage() {
    const message = await must('POST', '/v1/messages', {
        channel_id: demo.channel, to: PERSON, reference: 'first-message',
        content: { type: 'text', text: { body: 'Namaste from Harkara! This message went through the whole platform.' } },
    }, { 'idempotency-key': `demo-${randomBytes(8).toString('hex')}` });
    say(`${bold('A first message')}  ${message.id} to ${PERSON}`);
    const seen = await until(async () => {
        const now = await must('GET', `/v1/messages/${message.id}`);
        return ['read', 'failed'].includes(now.status) && now;
    }, 'the message to be read', 30_000);
    for (const step of seen.timeline)
        say(`    ${step.at.slice(11, 23)}  ${step.type.padEnd(18)}${step.attempt ? dim(`attempt ${step.attempt}`) : ''}${step.error ? step.error.title : ''}`);
    const webhook = await until(() => receiver.received.find(({ body }) => {
        const event = JSON.parse(body);
        return event.data.message_id === message.id && event.type === 'message.read';
    }), 'the webhook', 30_000);
    say();
    say(`${bold('The signed webhook it caused')}  (signature ${verifies(webhook) ? 'verified' : 'DOES NOT VERIFY'})`);
    for (const name of ['webhook-id', 'webhook-timestamp', 'webhook-signature'])
        say(`    ${name}: ${webhook.headers[name]}`);
    say(`    ${webhook.body}`);
    if (seen.status !== 'read' || !verifies(webhook))
        throw new Error('the first message did not come through as it should');
}

/** The command line of this platform, as it is called from here. */
function commandLine() {
    const set = ['HARKARA_STATE_DIR', 'HARKARA_RUN_DIR'].filter((name) => process.env[name] !== undefined);
    return [...set.map((name) => `${name}=${process.env[name]}`), path.join(buildFolder(process.argv[2]), 'src/program/harkara/harkara')].join(' ');
}

/** A new one at each start: it is good once, and whoever has used one signs in. */
async function ownerLink() {
    const { enrolment_url: url } = await harkara.json('tenant', 'enrol', demo.tenant);
    say();
    say(bold('Become the owner of the demo workspace, once, by opening:'));
    say(`    ${url}`);
}

function whatToOpen() {
    say();
    say(bold('Harkara is running. Open:'));
    say(`    ${`http://localhost:${new URL(harkara.url).port}/`.padEnd(44)} sign in, with the passkey of the workspace's owner`);
    say(`    ${`${sandbox.url}/handset`.padEnd(44)} the person's phone: see what arrived, and reply`);
    say(`    ${`${sandbox.url}/_sandbox`.padEnd(44)} the simulated provider: log and faults`);
    say(`    ${`${sandbox.url}/_sandbox#mails`.padEnd(44)} the mails that people get: invitations, and what they are told`);
    say(`    ${sandbox.smsc_url.padEnd(44)} the simulated SMS operator, which the demo workspace has connected`);
    say(`    ${`${harkara.url}/v1/openapi.json`.padEnd(44)} the API contract`);
    say();
    say(bold('Try, in another terminal:'));
    say(`    KEY=${demo.key}`);
    say(`    CHANNEL=${demo.channel}`);
    say(`    curl -sS ${harkara.url}/v1/messages \\`);
    say('      -H "Authorization: Bearer $KEY" -H \'Content-Type: application/json\' \\');
    say(`      -d '{"channel_id":"'$CHANNEL'","to":"${PERSON}","content":{"type":"text","text":{"body":"Hello"}}}'`);
    say(dim('    # an SMS to India, whose text is registered (Compliance, DLT registry):'));
    say(`    curl -sS ${harkara.url}/v1/messages \\`);
    say('      -H "Authorization: Bearer $KEY" -H \'Content-Type: application/json\' \\');
    say(`      -d '${JSON.stringify({ channel_id: demo.smsIndia, to: PERSON, category: 'service', content: { type: 'text', text: { body: FIRST_SMS } } })}'`);
    say(`    ${commandLine()} status`);
    say();
    say(dim(`State in ${stateDir}, log in ${path.join(demoDir, 'harkara.log')}. This key is for the demo workspace on this machine.`));
    say(dim('Ctrl-C stops everything; "make run" goes on where it was.'));
}

async function main() {
    mkdirSync(demoDir, { recursive: true, mode: 0o700 });
    const port = await freePort(Number(process.env.HARKARA_DEMO_PORT ?? 8080));
    const sandboxPort = await freePort(Number(process.env.HARKARA_DEMO_SANDBOX_PORT ?? 4010));
    const log = createWriteStream(path.join(demoDir, 'sandbox.log'), { flags: 'a' });
    await new Promise((resolve) => log.once('open', resolve));
    say(`Starting Harkara on an embedded PostgreSQL ... ${dim(stateDir)}`);
    sandbox = await startSandbox({ args: ['--listen', `127.0.0.1:${sandboxPort}`, '--data', path.join(demoDir, 'sandbox.jsonl'), '--auto-read', '--mail', `127.0.0.1:${await freePort(4012)}`,
        '--smsc', `127.0.0.1:${await freePort(4013)}`], log });
    await sandbox.control('POST', '/smsc/accounts', { system_id: 'harkara', password: 'sandbox', numbers: [SHORT_CODE], settings: { dlt: 'check' } });
    await operatorsRegistry();
    receiver = await startReceiver({ port: await freePort(4011) });
    harkara = await startHarkara({
        build: buildFolder(process.argv[2]), stateDir, runDir, port, logFile: path.join(demoDir, 'harkara.log'),
        /* Locked memory is not to be had everywhere, and the demo is to run everywhere; it is taken where there is some. */
        env: { HARKARA_GRAPH_URL: sandbox.url, HARKARA_WEBHOOK_ALLOW: '127.0.0.0/8', HARKARA_SMPP_ALLOW: '127.0.0.1/32', HARKARA_UNLOCKED_SECRETS: '1',
            HARKARA_MAIL_RELAY: sandbox.mail_url, HARKARA_MAIL_FROM: 'Harkara <no-reply@harkara.example>' },
    });
    void harkara.ended.then(({ code, signal }) => {
        if (stopping)
            return;
        say(`harkara serve ended with ${code ?? signal}. Its last words, from ${path.join(demoDir, 'harkara.log')}:`);
        say(readFileSync(path.join(demoDir, 'harkara.log'), 'utf8').trimEnd().split('\n').slice(-5).join('\n'));
        void stopAll(1);
    });
    await harkara.ready();
    await warnOfMemory();
    await workspace();
    await firstMessage();
    await ownerLink();
    whatToOpen();
    if (process.env.HARKARA_DEMO_ONCE === '1')
        await stopAll(0);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => void stopAll(0));
main().catch((error) => {
    say(`The demo failed: ${error.message}`);
    void stopAll(1);
});
