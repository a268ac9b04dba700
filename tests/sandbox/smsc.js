/** What the tests of the message centre share: a running one, an account, and npm smpp as the third-party client. */
import net from 'node:net';
import { once } from 'node:events';
import smpp from 'smpp';
import { startSandbox } from '../../sandbox/graph/server.js';
import { ask, defer } from './support.js';

export const PERSON = '919812345678';

/** npm smpp knows no DLT tags; it hands over unknown ones by number, as octets. */
smpp.addTLV('dlt_entity', { id: 0x1400, type: smpp.types.tlv.string });
smpp.addTLV('dlt_template', { id: 0x1401, type: smpp.types.tlv.string });
smpp.addTLV('dlt_chain', { id: 0x1402, type: smpp.types.tlv.string });

export async function startCentre(t, { settings = {}, account = {}, ...options } = {}) {
    const running = await startSandbox({ smsc: { host: '127.0.0.1', port: 0, settings: { receipt_delay_ms: 1, ...settings }, ...options } });
    defer(t, () => running.stop());
    const control = async (path, body, method = body === undefined ? 'GET' : 'POST') => (await ask(`${running.url}/_sandbox/smsc/${path}`, { body, method }));
    await control('accounts', { system_id: 'acme', password: 'secret', numbers: ['56161'], ...account });
    return { ...running, control, centre: running.sandbox.smsc, port: Number(new URL(running.smsc_url).port), client: (how, more) => Client.open(t, running, how, more) };
}

/** An ESME: npm smpp's session, with promises and what came kept. */
export class Client {
    constructor(session) {
        this.session = session.setMaxListeners(0);
        this.delivered = [];
        this.answer = () => 0;
        this.waiting = [];
        this.closed = new Promise((resolve) => session.on('close', resolve));
        session.on('error', () => {});
        session.on('enquire_link', (pdu) => session.send(pdu.response()));
        session.on('unbind', (pdu) => { session.send(pdu.response()); session.close(); });
        for (const name of ['deliver_sm', 'data_sm'])
            session.on(name, (pdu) => {
                const status = this.answer(pdu, this.delivered.length);
                if (status === null)
                    return;
                session.send(pdu.response({ command_status: status }));
                if (status === 0)
                    this.delivered.push(pdu);
                for (const look of [...this.waiting])
                    look();
            });
    }

    static async open(t, running, how = 'transceiver', { system_id = 'acme', password = 'secret', bind = true, url = running.smsc_url, ...more } = {}) {
        const session = smpp.connect({ url, ...more });
        const client = new Client(session);
        defer(t, () => session.destroy());
        await once(session, url.startsWith('ssmpp') ? 'secureConnect' : 'connect');
        if (bind) {
            client.bound = await client.ask(`bind_${how}`, { system_id, password });
            if (client.bound.command_status !== 0)
                throw new Error(`bind: ${client.bound.command_status}`);
        }
        return client;
    }

    /** The answer to one request. */
    ask(name, fields = {}) {
        return new Promise((resolve, reject) => {
            this.session.once('close', () => reject(new Error('closed')));
            this.session[name](fields, resolve);
        });
    }

    /** A field that is undefined is left out. */
    submit(fields) {
        return this.ask('submit_sm', Object.fromEntries(Object.entries({ source_addr_ton: 5, source_addr: 'HRKARA', dest_addr_ton: 1, dest_addr_npi: 1, destination_addr: PERSON, registered_delivery: 1, short_message: 'Hello', ...fields }).filter(([, value]) => value !== undefined)));
    }

    /** Resolves when the condition holds of what was delivered; looked at after each PDU. */
    until(condition, what = 'a PDU') {
        return new Promise((resolve, reject) => {
            const timer = setTimeout(() => reject(new Error(`waited for ${what}`)), 60_000);
            const look = () => {
                const found = condition(this.delivered);
                if (found) {
                    clearTimeout(timer);
                    this.waiting = this.waiting.filter((other) => other !== look);
                    resolve(found);
                }
            };
            this.waiting.push(look);
            look();
        });
    }

    receipts(count = 1) {
        return this.until((list) => list.filter(isReceipt).length >= count && list.filter(isReceipt), `${count} receipts`);
    }
}

export const isReceipt = (pdu) => (pdu.esm_class & 0x3C) === 0x04 || (pdu.esm_class & 0x3C) === 0x20;

/** What a PDU of npm smpp says: it decodes short_message into {message, udh}, and message_payload likewise. */
export const textOf = (pdu) => {
    const found = pdu.short_message?.message || pdu.message_payload?.message || '';
    return Buffer.isBuffer(found) ? found.toString('latin1') : found;
};

/** A relay that keeps what passes, so that a session can be written as a capture file. */
export async function startTap(t, port) {
    const packets = [];
    const server = net.createServer((near) => {
        const far = net.connect(port, '127.0.0.1');
        defer(t, () => { near.destroy(); far.destroy(); });
        const pipe = (from, to, direction) => from.on('data', (octets) => { packets.push({ direction, octets, at: Date.now() }); to.write(octets); }).on('close', () => to.destroy()).on('error', () => to.destroy());
        pipe(near, far, 'out');
        pipe(far, near, 'in');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    defer(t, () => server.close());
    return { packets, port: server.address().port };
}

/** The octets of one TCP stream as a pcap file (LINKTYPE_RAW): made-up addresses and sequence numbers, true octets. */
export function pcapOf(packets, port = 2775) {
    const head = Buffer.alloc(24);
    head.writeUInt32LE(0xa1b2c3d4, 0);
    head.writeUInt16LE(2, 4);
    head.writeUInt16LE(4, 6);
    head.writeUInt32LE(0x40000, 16);
    head.writeUInt32LE(101, 20);
    const sent = { out: 1, in: 1 };
    const parts = [head];
    for (const { direction, octets, at } of packets)
        for (let from = 0; from < octets.length; from += 1400) {
            const data = octets.subarray(from, from + 1400), isOut = direction === 'out', ip = Buffer.alloc(40);
            ip[0] = 0x45;
            ip.writeUInt16BE(40 + data.length, 2);
            ip[8] = 64;
            ip[9] = 6;
            ip.writeUInt32BE(isOut ? 0x0a000001 : 0x0a000002, 12);
            ip.writeUInt32BE(isOut ? 0x0a000002 : 0x0a000001, 16);
            ip.writeUInt16BE(isOut ? 40000 : port, 20);
            ip.writeUInt16BE(isOut ? port : 40000, 22);
            ip.writeUInt32BE(sent[direction], 24);
            ip.writeUInt32BE(sent[isOut ? 'in' : 'out'], 28);
            ip[32] = 0x50;
            ip[33] = 0x18;
            ip.writeUInt16BE(0xFFFF, 34);
            sent[direction] += data.length;
            const record = Buffer.alloc(16);
            record.writeUInt32LE(Math.floor(at / 1000), 0);
            record.writeUInt32LE((at % 1000) * 1000, 4);
            record.writeUInt32LE(ip.length + data.length, 8);
            record.writeUInt32LE(ip.length + data.length, 12);
            parts.push(record, ip, data);
        }
    return Buffer.concat(parts);
}
