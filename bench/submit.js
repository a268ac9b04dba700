#!/usr/bin/env node
// @ts-check
/**
 * Software that submits by SMPP, as fast as it is answered:
 *
 *     SUBMIT_ACCOUNT=ID:PASSWORD bench/submit.js --port 2775 --links 2 --window 100 --count 4000
 *
 * It prints one line of JSON: how many were accepted, in which time, and what else was answered.
 */
import net from 'node:net';
import { parseArgs } from 'node:util';
import { Framer, decode, encode } from '../sandbox/smsc/codec.js';

const TEXT = 'Your parcel has left our warehouse and reaches you tomorrow between 9 and 12.';
const { values } = parseArgs({ options: { port: { type: 'string', default: '' }, links: { type: 'string', default: '1' }, window: { type: 'string', default: '10' }, count: { type: 'string', default: '1' } } });
const [port, links, window, count] = [values.port, values.links, values.window, values.count].map(Number);
const [id, password] = String(process.env.SUBMIT_ACCOUNT).split(':');
/** @type {Record<string, number>} */
const statuses = {};
let next = 0, answered = 0, began = 0;

/** @param {number} n */
const submit = (n, sequence) => encode('submit_sm', { sequence, fields: { source_addr_ton: 5, source_addr: 'HRKARA', dest_addr_ton: 1, dest_addr_npi: 1, destination_addr: `1415${String(n * 9973 % 10_000_000).padStart(7, '0')}`, short_message: TEXT } });

function link() {
    const socket = net.connect(port, '127.0.0.1').setNoDelay(true), framer = new Framer();
    let sequence = 1;
    const fill = (/** @type {number} */ room) => {
        socket.cork();
        for (; room > 0 && next < count; room--)
            socket.write(submit(next++, ++sequence));
        socket.uncork();
    };
    return new Promise((resolve, reject) => {
        socket.on('error', reject).on('close', () => reject(new Error('the link was closed')));
        socket.on('connect', () => socket.write(encode('bind_transceiver', { sequence: 1, fields: { system_id: id, password, interface_version: 0x34 } })));
        socket.on('data', (octets) => {
            let room = 0;
            for (const pdu of framer.push(octets).map(decode)) {
                if (pdu.name === 'enquire_link')
                    socket.write(encode('enquire_link_resp', { sequence: pdu.sequence }));
                else if (pdu.name === 'bind_transceiver_resp') {
                    if (pdu.status !== 0)
                        reject(new Error(`the bind was refused: ${pdu.status}`));
                    began ||= performance.now();
                    room = window;
                } else if (pdu.name === 'submit_sm_resp') {
                    statuses[pdu.status] = (statuses[pdu.status] ?? 0) + 1;
                    answered++;
                    room++;
                }
            }
            if (answered >= count)
                resolve(null);
            fill(room);
        });
    });
}

await Promise.race([Promise.all(Array.from({ length: links }, link)), new Promise((resolve) => { const look = setInterval(() => { if (answered >= count) { clearInterval(look); resolve(null); } }, 5); })]).catch((error) => {
    process.stderr.write(`submit: ${error.message}\n`);
    process.exit(1);
});
const us = (performance.now() - began) * 1000, { user, system } = process.cpuUsage();
process.stdout.write(`${JSON.stringify({ count: answered, us, rate: answered / us * 1_000_000, statuses, cpu_us: user + system })}\n`);
process.exit(0);
