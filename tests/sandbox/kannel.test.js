/** Kannel as ESME of the message centre, with its own fake message centre behind it; and a session as tshark reads it. */
import test from 'node:test';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort, until } from '../../sandbox/demo/platform.js';
import { defer } from './support.js';
import { PERSON, pcapOf, startCentre, startTap } from './smsc.js';

const FAKE_SMSC = '/usr/lib/kannel/test/fakesmsc';
const noKannel = existsSync('/usr/sbin/bearerbox') && existsSync(FAKE_SMSC) ? false : 'no Kannel on this machine';
const noTshark = existsSync('/usr/bin/tshark') ? false : 'no tshark on this machine';

/** Bearerbox bound to the centre, with an smsbox for HTTP and a fake message centre's port. A bridge leads what comes from either to the other. */
async function startKannel(t, world, { isBridge = false } = {}) {
    const dir = mkdtempSync(path.join(tmpdir(), 'kannel-'));
    const ports = { admin: await freePort(), smsbox: await freePort(), sendsms: await freePort(), fake: await freePort() };
    const groups = [
        { group: 'core', 'admin-port': ports.admin, 'admin-interface': '127.0.0.1', 'admin-password': 'x', 'smsbox-port': ports.smsbox, 'smsbox-interface': '127.0.0.1', 'box-allow-ip': '127.0.0.1', 'log-file': `${dir}/bearerbox.log`, 'log-level': 0 },
        { group: 'smsc', smsc: 'smpp', 'smsc-id': 'centre', 'allowed-smsc-id': 'centre', host: '127.0.0.1', port: world.port, 'smsc-username': 'acme', 'smsc-password': 'secret', 'system-type': '""', 'transceiver-mode': 'true', 'enquire-link-interval': 30, ...(isBridge ? { 'reroute-smsc-id': 'fake' } : {}),
            'source-addr-autodetect': 'true', 'dest-addr-ton': 1, 'dest-addr-npi': 1 },
        { group: 'smsc', smsc: 'fake', 'smsc-id': 'fake', 'allowed-smsc-id': 'fake', port: ports.fake, 'connect-allow-ip': '127.0.0.1', 'reroute-smsc-id': 'centre' },
        { group: 'smsbox', 'bearerbox-host': '127.0.0.1', 'sendsms-port': ports.sendsms, 'sendsms-interface': '127.0.0.1', 'log-file': `${dir}/smsbox.log`, 'log-level': 0 },
        { group: 'sendsms-user', username: 'me', password: 'me', 'max-messages': 10, concatenation: 'true' },
    ];
    const config = path.join(dir, 'kannel.conf');
    writeFileSync(config, groups.map((group) => Object.entries(group).map(([name, value]) => `${name} = ${value}\n`).join('')).join('\n'));
    const children = [];
    defer(t, async () => {
        for (const child of children.reverse())
            if (child.exitCode === null && child.signalCode === null) {
                child.kill('SIGKILL');
                await once(child, 'exit');
            }
        rmSync(dir, { recursive: true });
    });
    const start = (command, args) => {
        const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
        let said = '';
        for (const stream of [child.stdout, child.stderr])
            stream.setEncoding('utf8').on('data', (part) => (said += part));
        children.push(child);
        return { child, said: () => said };
    };
    start('/usr/sbin/bearerbox', ['-v', '4', config]);
    await world.control('wait?for=links&system_id=acme&timeout_ms=60000');
    start('/usr/sbin/smsbox', ['-v', '4', config]);
    const send = async (fields) => (await fetch(`http://127.0.0.1:${ports.sendsms}/cgi-bin/sendsms?${new URLSearchParams({ username: 'me', password: 'me', smsc: 'centre', from: 'HRKARA', to: PERSON, ...fields })}`)).text();
    await until(() => send({ to: '' }).then(() => true, () => false), 'smsbox to listen');
    return { dir, ports, start, send };
}

/** Kannel tells what it made of receipts by HTTP. */
async function startListener(t) {
    const heard = [];
    const server = http.createServer((req, res) => { heard.push(Object.fromEntries(new URL(req.url, 'http://x').searchParams)); res.end(); });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    defer(t, () => { server.close(); server.closeAllConnections(); });
    return { heard, url: `http://127.0.0.1:${server.address().port}/dlr?type=%d&answer=%A&to=%p` };
}

test('Kannel binds, submits, and understands receipts', { skip: noKannel }, async (t) => {
    const world = await startCentre(t);
    const kannel = await startKannel(t, world);
    const listener = await startListener(t);
    await kannel.send({ text: 'Short', 'dlr-mask': '31', 'dlr-url': listener.url });
    await kannel.send({ text: 'Ω '.repeat(100), 'dlr-mask': '31', 'dlr-url': listener.url });
    await kannel.send({ text: 'नमस्ते', coding: '2', charset: 'UTF-8' });
    await kannel.send({ text: 'No', to: '915550100060', 'dlr-mask': '31', 'dlr-url': listener.url });
    const { body } = await world.control(`wait?for=messages&to=${PERSON}&whole=true&count=3`);
    assert.deepEqual(body.data.map(({ text, total }) => [text.trimEnd(), total]), [['Short', 1], ['Ω '.repeat(100).trimEnd(), 2], ['नमस्ते', 1]]);
    /* 1 is delivered, 2 is not; of a long one Kannel asks for the first part's */
    await until(() => listener.heard.filter(({ type }) => type === '1').length >= 2, 'Kannel to be told of what was delivered');
    const [failed] = await until(() => { const found = listener.heard.filter(({ type }) => type === '2'); return found.length > 0 && found; }, 'Kannel to be told of one that failed');
    assert.match(failed.answer, /stat:UNDELIV err:060/);
    assert.equal((await world.control('counters')).body['pdus.broken'], undefined);
});

test('Kannel’s fake message centre writes through it to a phone, and a phone writes back', { skip: noKannel }, async (t) => {
    const world = await startCentre(t);
    const kannel = await startKannel(t, world, { isBridge: true });
    const fake = kannel.start(FAKE_SMSC, ['-r', String(kannel.ports.fake), '-m', '1', '-i', '0.1', '-v', '0', `56161 ${PERSON} text from the fake centre`]);
    const { body } = await world.control(`wait?for=messages&to=${PERSON}&timeout_ms=60000`);
    assert.deepEqual([body.data[0].text, body.data[0].address], ['from the fake centre', '56161']);
    const { text } = (await world.control('mo', { from: PERSON, to: '56161', text: 'back again' })).body;
    assert.equal(text, 'back again');
    await until(() => fake.said().includes('back again'), 'the fake centre to be handed what the phone wrote');
    await world.control('wait?for=idle');
    assert.equal((await world.control('counters')).body['deliveries.taken'], 1);
});

test('tshark reads a session of every PDU, and none is malformed', { skip: noTshark }, async (t) => {
    const world = await startCentre(t, { settings: { mo_long: 'udh8' } });
    const tap = await startTap(t, world.port);
    const client = await world.client('transceiver', { url: `smpp://127.0.0.1:${tap.port}` });
    await client.submit({});
    await client.submit({ destination_addr: '915550100650', dlt_entity: '1101172974420810001', dlt_template: '1107161234567890123' });
    await client.submit({ destination_addr: '12' });
    await client.submit({ data_coding: 8, sar_msg_ref_num: 9, sar_total_segments: 1, sar_segment_seqnum: 1, short_message: Buffer.from('नमस्ते', 'utf16le').swap16() });
    const { message_id: id } = await client.submit({ short_message: '', message_payload: Buffer.from('x'.repeat(2000)) });
    await client.ask('query_sm', { message_id: id });
    await client.ask('cancel_sm', { message_id: id });
    await client.ask('enquire_link', {});
    await client.ask('data_sm', { source_addr: 'HRKARA', destination_addr: PERSON, message_payload: Buffer.from('data') });
    await world.control('accounts/acme', { settings: { receipt_format: 'data_sm' } }, 'PATCH');
    await client.submit({});
    await client.receipts(4);
    await world.control('mo', { from: PERSON, to: '56161', text: 'क'.repeat(100) });
    await client.until((list) => list.filter((pdu) => pdu.esm_class === 0x40).length === 2);
    await world.control('wait?for=idle');
    await client.ask('unbind', {});
    await client.closed;
    const dir = mkdtempSync(path.join(tmpdir(), 'tshark-'));
    defer(t, () => rmSync(dir, { recursive: true }));
    const file = path.join(dir, 'session.pcap');
    writeFileSync(file, pcapOf(tap.packets));
    const tshark = (...args) => spawnSync('/usr/bin/tshark', ['-n', '-r', file, '-d', 'tcp.port==2775,smpp', ...args], { encoding: 'utf8', env: { ...process.env, HOME: dir } }).stdout;
    const commands = new Set(tshark('-T', 'fields', '-e', 'smpp.command_id').split(/[\s,]+/).filter((text) => text !== '').map(Number));
    const wanted = [1, 4, 5, 3, 8, 9, 0x15, 0x103, 6].flatMap((id) => (id === 1 ? [] : [id, id + 0x80000000]));
    assert.deepEqual([...commands].sort((a, b) => a - b), wanted.sort((a, b) => a - b));
    assert.equal(tshark('-Y', '_ws.malformed || _ws.expert.severity == error'), '');
    /* A file with a PDU cut short is called malformed: so the look above can fail. */
    writeFileSync(file, pcapOf([{ direction: 'out', at: 0, octets: Buffer.from('000000140000000400000000000000010001', 'hex') }, { direction: 'out', at: 0, octets: Buffer.from('0161', 'hex') }]));
    assert.notEqual(tshark('-Y', '_ws.malformed'), '');
});
