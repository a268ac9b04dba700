// @ts-check
/**
 * Workspaces' own software over SMPP with an operator behind: what it submits goes all the way and its receipts come back, and what customers write reaches it.
 * The clients are npm smpp and Kannel; a session is read by tshark.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import smpp from 'smpp';
import { freePort, startPlatform, until } from './support.js';
import { defer } from '../sandbox/support.js';
import { Client as Esme, pcapOf, startTap, textOf } from '../sandbox/smsc.js';

const noKannel = existsSync('/usr/sbin/bearerbox') ? false : 'no Kannel on this machine';
const noTshark = existsSync('/usr/bin/tshark') ? false : 'no tshark on this machine';

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
let listens = '', port = 0;
/** The operator: takes everything, and reports it delivered; a text that says "fail" is not. */
const operator = {
    /** @type {any[]} */ taken: [], /** @type {Set<any>} */ sessions: new Set(), ids: 0, port: 0, /** @type {any} */ server: null,
    async start() {
        this.server = smpp.createServer((session) => {
            session.on('error', () => {});
            session.on('close', () => this.sessions.delete(session));
            session.on('bind_transceiver', (pdu) => { this.sessions.add(session); session.send(pdu.response({ system_id: 'OPERATOR' })); });
            session.on('enquire_link', (pdu) => session.send(pdu.response()));
            session.on('unbind', (pdu) => { session.send(pdu.response()); session.close(); });
            session.on('submit_sm', (pdu) => {
                const id = (this.ids += 1).toString(16).padStart(8, '0'), text = pdu.short_message.message;
                this.taken.push({ pdu, text, to: pdu.destination_addr });
                session.send(pdu.response({ message_id: id }));
                session.deliver_sm({ esm_class: 4, source_addr_ton: 1, source_addr_npi: 1, source_addr: pdu.destination_addr, destination_addr: pdu.source_addr,
                    short_message: `id:${id} sub:001 dlvrd:001 submit date:2611230900 done date:2611230901 stat:${text.includes('fail') ? 'UNDELIV err:034' : 'DELIVRD err:000'} text:` });
            });
        });
        await new Promise((done) => this.server.listen(0, '127.0.0.1', () => done(undefined)));
        this.port = this.server.address().port;
    },
    /** Somebody writes. @param {string} to @param {string} from @param {string} text */
    bring(to, from, text) {
        const session = [...this.sessions].find(({ to: of }) => of === to) ?? [...this.sessions].at(-1);
        return new Promise((done) => session.deliver_sm({ source_addr_ton: 1, source_addr_npi: 1, source_addr: from, destination_addr: to, ...(text.length > 160 ? { message_payload: text, short_message: '' } : { short_message: text }), data_coding: /^[\x20-\x7E]*$/.test(text) ? 0 : 8 }, done));
    },
};
before(async () => {
    port = await freePort();
    listens = `127.0.0.1:${port}`;
    await operator.start();
    platform = await startPlatform({ env: { HARKARA_SMPP_LISTEN: listens, HARKARA_SMPP_ALLOW: '127.0.0.0/8' } });
});
after(async () => {
    await platform?.stop();
    operator.sessions.forEach((session) => session.destroy());
    operator.server?.close();
});

let numbers = 0;
/** Of Germany: India's rules are not what is tested here. */
const number = () => `49152${String(10_000_000 + (numbers += 1))}`;

/** A workspace with an SMS channel at the operator, and an account. @param {string[]} [scopes] */
async function shop(scopes = ['messages:send', 'messages:read']) {
    const { client } = await platform.workspace({ channel: false });
    const sender = `SHOP${(numbers += 1)}`;
    const channel = (await client.must(201, 'POST', '/v1/channels', { kind: 'sms', name: 'Shop', sms: { sender, sender_kind: 'alphanumeric' } })).id;
    const sessions = operator.sessions.size;
    const { id } = await client.must(201, 'POST', '/v1/sms/connectors', { name: 'Operator', host: '127.0.0.1', port: operator.port, tls: false, system_id: 'harkara', password: 'secret-1', per_second: 200 });
    await client.must(201, 'POST', '/v1/sms/routes', { connector_id: id, priority: 0 });
    await until(() => operator.sessions.size > sessions, 'the connector to be bound');
    [...operator.sessions].at(-1).to = sender;
    const of = async (with_ = scopes) => {
        const key = await client.must(201, 'POST', '/v1/api-keys', { name: 'ESME', scopes: with_ });
        return client.must(200, 'PUT', `/v1/api-keys/${key.id}/smpp`, { channel_id: channel });
    };
    return { client, channel, sender, of, ...(await of()) };
}
const bind = (t, of, how = 'transceiver', more = {}) => Esme.open(t, { smsc_url: `smpp://${listens}` }, how, { system_id: of.system_id, password: of.password, ...more });
const written = (esme, count = 1) => esme.until((list) => list.filter(({ esm_class: kind }) => (kind & 0x3C) === 0).length >= count && list.filter(({ esm_class: kind }) => (kind & 0x3C) === 0), `${count} of what was written`);
const owed = () => Number(platform.sql('select count(*) from harkara.smpp_inbound'));

test('what customers write reaches who is bound, in its alphabet, in parts, and only who may read it', async (t) => {
    const made = await shop();
    const esme = await bind(t, made), deaf = await bind(t, await made.of(['messages:send'])), sender = await bind(t, made, 'transmitter');
    const from = number(), long = 'All that happened since we met, in one text. '.repeat(9).trim();
    await operator.bring(made.sender, from, 'Yes please');
    const [first] = await written(esme);
    assert.deepEqual([textOf(first), first.source_addr, first.source_addr_ton, first.destination_addr, first.dest_addr_ton, first.data_coding], ['Yes please', from, 1, made.sender, 5, 0]);
    await operator.bring(made.sender, from, 'हाँ, ठीक है 🙏');
    assert.deepEqual([textOf((await written(esme, 2))[1]), (await written(esme, 2))[1].data_coding], ['हाँ, ठीक है 🙏', 8]);
    await operator.bring(made.sender, from, long);
    const parts = (await written(esme, 5)).slice(2);
    assert.equal(parts.map(textOf).join(''), long);
    assert.deepEqual(parts.map(({ short_message: { udh } }) => [...udh[0].subarray(0, 2), ...udh[0].subarray(3)]), [[0, 3, 3, 1], [0, 3, 3, 2], [0, 3, 3, 3]]);
    assert.equal(new Set(parts.map(({ short_message: { udh } }) => udh[0][2])).size, 1);
    await until(() => owed() === 0, 'nothing to be owed any more');
    assert.deepEqual([deaf.delivered.length, sender.delivered.length, esme.delivered.length], [0, 0, 5]);
});

test('what was written while nobody was bound waits, over a gateway that is killed; what was not taken comes again, what was does not', async (t) => {
    const made = await shop();
    const from = number(), long = 'Please call me back about the order of Tuesday. '.repeat(5).trim();
    await operator.bring(made.sender, from, long);
    await until(() => owed() === 1, 'it to be owed');
    const first = await Esme.open(t, { smsc_url: `smpp://${listens}` }, 'receiver', { bind: false });
    let asked = 0;
    first.answer = () => ((asked += 1) === 1 ? 0 : 0x64); /* the first part is taken */
    assert.equal((await first.ask('bind_receiver', { system_id: made.system_id, password: made.password })).command_status, 0);
    await until(() => platform.sql(`select cardinality(parts_taken) from harkara.smpp_inbound`) === '1', 'the first part to be noted');
    for (const pid of await platform.pids('gateway'))
        process.kill(pid, 'SIGKILL');
    await first.closed;
    const second = await until(() => bind(t, made, 'receiver').catch(() => null), 'the gateway to be back');
    const rest = await written(second, 1);
    await until(() => owed() === 0, 'nothing to be owed any more');
    assert.equal([...first.delivered, ...rest].map(textOf).join(''), long);
});

test('a gateway is killed while messages are submitted: what was answered is there, once, and has its receipt', async (t) => {
    const made = await shop();
    const answered = new Map(), told = new Set(), to = number();
    let killed = false;
    for (let next = 0; answered.size < 60;) {
        const esme = await until(() => bind(t, made).catch(() => null), 'the gateway');
        esme.session.on('deliver_sm', (pdu) => told.add(pdu.receipted_message_id));
        const send = async () => {
            for (;;) {
                const text = `Number ${(next += 1)} of many`;
                const { command_status: status, message_id: id } = await esme.submit({ source_addr: made.sender, destination_addr: to, short_message: text });
                if (status === 0)
                    answered.set(id, text);
                if (answered.size >= 60)
                    return;
                if (answered.size >= 20 && !killed) {
                    killed = true;
                    for (const pid of await platform.pids('gateway'))
                        process.kill(pid, 'SIGKILL');
                }
            }
        };
        await Promise.all(Array.from({ length: 5 }, send)).catch(() => {});
        if (answered.size < 60)
            esme.session.destroy();
        else
            await until(() => [...answered.keys()].every((id) => told.has(id)), 'each receipt');
    }
    assert.ok(killed);
    for (const [id, text] of answered)
        assert.equal((await made.client.must(200, 'GET', `/v1/messages/msg_${id}`)).content.text.body, text);
    const texts = operator.taken.filter((one) => one.to === to).map(({ text }) => text);
    for (const text of answered.values())
        assert.equal(texts.filter((one) => one === text).length, 1, text);
});

/** Kannel's bearerbox bound to us, its smsbox for HTTP, and a listener for what it hears. @param {any} t @param {any} of */
async function startKannel(t, of) {
    const dir = mkdtempSync(path.join(tmpdir(), 'kannel-')), ports = { admin: await freePort(), smsbox: await freePort(), sendsms: await freePort() };
    const heard = [];
    const listener = http.createServer((req, res) => {
        const url = new URL(req.url, 'http://x');
        heard.push({ path: url.pathname, ...Object.fromEntries(url.searchParams) });
        res.end();
    });
    await new Promise((done) => listener.listen(0, '127.0.0.1', () => done(undefined)));
    const base = `http://127.0.0.1:${listener.address().port}`;
    const groups = [
        { group: 'core', 'admin-port': ports.admin, 'admin-interface': '127.0.0.1', 'admin-password': 'x', 'smsbox-port': ports.smsbox, 'smsbox-interface': '127.0.0.1', 'box-allow-ip': '127.0.0.1', 'log-file': `${dir}/bearerbox.log`, 'log-level': 0 },
        { group: 'smsc', smsc: 'smpp', 'smsc-id': 'harkara', host: '127.0.0.1', port: of.port ?? port, 'smsc-username': of.system_id, 'smsc-password': of.password, 'system-type': '""', 'transceiver-mode': 'true', 'source-addr-autodetect': 'true', 'dest-addr-ton': 1, 'dest-addr-npi': 1, ...of.kannel },
        { group: 'smsbox', 'bearerbox-host': '127.0.0.1', 'sendsms-port': ports.sendsms, 'sendsms-interface': '127.0.0.1', 'log-file': `${dir}/smsbox.log`, 'log-level': 0 },
        { group: 'sendsms-user', username: 'me', password: 'me', 'max-messages': 10, concatenation: 'true' },
        { group: 'sms-service', keyword: 'default', 'catch-all': 'true', 'max-messages': 0, 'get-url': `"${base}/mo?from=%p&to=%P&text=%b"` },
    ];
    const config = path.join(dir, 'kannel.conf');
    writeFileSync(config, groups.map((group) => Object.entries(group).map(([name, value]) => `${name} = ${value}\n`).join('')).join('\n'));
    const children = ['bearerbox', 'smsbox'].map((name) => () => spawn(`/usr/sbin/${name}`, ['-v', '4', config], { stdio: 'ignore' })), running = [];
    defer(t, async () => {
        for (const child of running.reverse())
            if (child.exitCode === null && child.signalCode === null) {
                child.kill('SIGKILL');
                await once(child, 'exit');
            }
        listener.close();
        listener.closeAllConnections();
        rmSync(dir, { recursive: true });
    });
    const binds = () => platform.log().split('"gateway.smpp_bound"').length, before_ = binds();
    running.push(children[0]());
    await until(() => binds() > before_, 'bearerbox to be bound');
    running.push(children[1]());
    const send = async (fields) => (await fetch(`http://127.0.0.1:${ports.sendsms}/cgi-bin/sendsms?${new URLSearchParams({ username: 'me', password: 'me', from: of.sender, 'dlr-mask': '31', 'dlr-url': `${base}/dlr?type=%d&answer=%A&tag=${fields.tag ?? ''}`, ...fields })}`)).text();
    await until(() => send({ to: '' }).then(() => true, () => false), 'smsbox to listen');
    return { heard, send, reported: (tag, type) => until(() => heard.find((one) => one.path === '/dlr' && one.tag === tag && one.type === type), `Kannel to be told ${type} of ${tag}`) };
}

/* 1 delivered, 2 not, 8 taken by us */
for (const window of [10, 1])
    test(`Kannel with a window of ${window} sends short and long ones, hears what became of them, and what somebody wrote`, { skip: noKannel }, async (t) => {
        const made = await shop();
        const kannel = await startKannel(t, { ...made, kannel: { 'max-pending-submits': window } });
        const to = number(), long = 'A long text, which Kannel cuts in parts by itself. '.repeat(7).trim(), hindi = 'नमस्ते, आपका ऑर्डर रास्ते में है। '.repeat(5).trim();
        await kannel.send({ to, text: 'Short', tag: 'short' });
        await kannel.send({ to, text: long, tag: 'long' });
        await kannel.send({ to, text: hindi, coding: '2', charset: 'UTF-8', tag: 'hindi' });
        await kannel.send({ to, text: 'This one is to fail', tag: 'failing' });
        for (const tag of ['short', 'long', 'hindi'])
            await kannel.reported(tag, '1');
        assert.match((await kannel.reported('failing', '2')).answer, /stat:UNDELIV err:034/);
        assert.match((await kannel.reported('short', '8')).answer, /ACK/);
        const { data } = await made.client.must(200, 'GET', '/v1/messages?limit=10');
        const texts = [];
        for (const { id } of data)
            texts.push((await made.client.must(200, 'GET', `/v1/messages/${id}`)).content.text.body);
        assert.deepEqual(texts.sort(), ['Short', long, hindi, 'This one is to fail'].sort());
        assert.equal(platform.sql('select count(*) from harkara.smpp_group'), '0');
        const story = 'What I wanted to say does not fit into a single text, so it comes in several. '.repeat(4).trim();
        await operator.bring(made.sender, to, 'Thanks');
        await until(() => kannel.heard.find((one) => one.path === '/mo' && one.text === 'Thanks'), 'Kannel to hear a short one');
        await operator.bring(made.sender, to, story);
        const heard = await until(() => kannel.heard.find((one) => one.path === '/mo' && one.text.startsWith('What I')), 'Kannel to hear a long one');
        assert.deepEqual([heard.text, heard.to, heard.from.replace('+', '')], [story, made.sender, to]);
    });

/** A certificate for localhost that signs itself, as the gateway is given it. @param {string} folder @param {string} name */
function certify(folder, name) {
    const made = spawnSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${folder}/key.new`, '-out', `${folder}/certificate.new`, '-days', '2', '-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'], { encoding: 'utf8' });
    assert.equal(made.status, 0, made.stderr);
    chmodSync(`${folder}/key.new`, 0o644); /* of this test alone */
    renameSync(`${folder}/key.new`, `${folder}/key.pem`);
    renameSync(`${folder}/certificate.new`, `${folder}/certificate.pem`);
    return readFileSync(`${folder}/certificate.pem`);
}

test('under TLS: 1.2 at the least, the certificate is read again when it changes, and nobody is let in without', async (t) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'smpp-tls-')), own = await freePort();
    defer(t, () => rmSync(folder, { recursive: true }));
    chmodSync(folder, 0o755);
    const other = await startPlatform({ env: { HARKARA_SMPP_LISTEN: `127.0.0.1:${own}`, HARKARA_SMPP_TLS_DIR: folder } });
    defer(t, () => other.stop());
    const workspace = await other.workspace();
    const key = await workspace.client.must(201, 'POST', '/v1/api-keys', { name: 'ESME', scopes: ['messages:send'] });
    const made = await workspace.client.must(200, 'PUT', `/v1/api-keys/${key.id}/smpp`, { channel_id: workspace.channel });
    const open = (ca, more = {}) => Esme.open(t, { smsc_url: `ssmpp://localhost:${own}` }, 'transceiver', { system_id: made.system_id, password: made.password, host: '127.0.0.1', port: own, servername: 'localhost', ca, ...more });
    await assert.rejects(open(undefined), 'there is no certificate yet');
    const first = certify(folder, 'first');
    const esme = await until(() => open(first).catch(() => null), 'the certificate to be read');
    const { command_status: status, message_id: id } = await esme.submit({ destination_addr: '919812345678', short_message: 'Sealed on its way' });
    assert.equal(status, 0);
    assert.equal((await esme.receipts())[0].receipted_message_id, id);
    const long = 'x'.repeat(30_000);
    assert.equal((await esme.submit({ destination_addr: '919812345678', short_message: '', message_payload: Buffer.from(long) })).command_status, 0x45, 'of several records, and longer than the channel takes');
    await assert.rejects(open(first, { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' }), 'an old version');
    await assert.rejects(Esme.open(t, { smsc_url: `smpp://127.0.0.1:${own}` }, 'transceiver', made), 'one that speaks no TLS');
    const second = certify(folder, 'second');
    await until(() => open(second).catch(() => null), 'the new certificate');
    assert.equal((await esme.ask('enquire_link', {})).command_status, 0, 'links of before go on');
    writeFileSync(`${folder}/key.pem`, 'no key');
    await until(() => other.log().includes('"gateway.smpp_certificate_unread"'), 'the fault to be told');
    await open(second);
    await assert.rejects(open(first), 'one that trusts another');
});

test('tshark reads a session of ours, and no PDU is malformed', { skip: noTshark }, async (t) => {
    const made = await shop();
    const tap = await startTap(t, port), esme = await bind(t, made, 'transceiver', { url: `smpp://127.0.0.1:${tap.port}` }), to = number();
    await esme.submit({ destination_addr: to, source_addr: made.sender });
    await esme.submit({ destination_addr: '12ab', source_addr: made.sender });
    for (const part of [1, 2])
        await esme.submit({ destination_addr: to, source_addr: made.sender, esm_class: 0x40, short_message: Buffer.concat([Buffer.from([5, 0, 3, 9, 2, part]), Buffer.from('half')]) });
    await esme.submit({ destination_addr: to, source_addr: made.sender, data_coding: 8, short_message: '', message_payload: Buffer.from('नमस्ते', 'utf16le').swap16() });
    await esme.ask('data_sm', { source_addr: made.sender, destination_addr: to, message_payload: Buffer.from('data') });
    await esme.ask('query_sm', { message_id: 'x' });
    await esme.ask('enquire_link', {});
    await esme.receipts(3);
    await operator.bring(made.sender, to, 'x'.repeat(300));
    await written(esme, 2);
    await until(() => owed() === 0, 'nothing to be owed any more');
    await esme.ask('unbind', {});
    await esme.closed;
    const dir = mkdtempSync(path.join(tmpdir(), 'tshark-'));
    defer(t, () => rmSync(dir, { recursive: true }));
    writeFileSync(path.join(dir, 'session.pcap'), pcapOf(tap.packets));
    const tshark = (...args) => spawnSync('/usr/bin/tshark', ['-n', '-r', path.join(dir, 'session.pcap'), '-d', 'tcp.port==2775,smpp', ...args], { encoding: 'utf8', env: { ...process.env, HOME: dir } }).stdout;
    const commands = new Set(tshark('-T', 'fields', '-e', 'smpp.command_id').split(/[\s,]+/).filter((text) => text !== '').map(Number));
    const wanted = [3, 4, 5, 6, 9, 0x15, 0x103].flatMap((id) => [id, id + 0x80000000]);
    assert.deepEqual([...commands].sort((a, b) => a - b), wanted.sort((a, b) => a - b));
    assert.equal(tshark('-Y', '_ws.malformed || _ws.expert.severity == error'), '');
});
