// @ts-check
/**
 * A TCP proxy that can become a bad network: `cut` resets what is open and refuses what comes; `stall` takes bytes and
 * connections and passes nothing on; `deaf` passes requests on and loses every answer, then resets: the peer has acted, and
 * nobody hears of it; `drip` passes a few bytes at a time.
 */
import net from 'node:net';
import { once } from 'node:events';

const DRIP_BYTES = 64;
const DRIP_MS = 5;

/** @typedef {'pass'|'cut'|'stall'|'deaf'|'drip'} Mode */

export class Proxy {
    /** @param {string} host @param {number} port */
    constructor(host, port) {
        this.target = { host, port };
        /** @type {Mode} */
        this.mode = 'pass';
        /** Both ends of each connection. @type {Set<Pair>} */
        this.pairs = new Set();
        this.count = { connections: 0, reset: 0, answers_lost: 0 };
        this.server = net.createServer({ pauseOnConnect: false }, (client) => this.#accept(client));
        this.port = 0;
    }

    async start() {
        this.server.listen(0, '127.0.0.1');
        await once(this.server, 'listening');
        this.port = /** @type {net.AddressInfo} */ (this.server.address()).port;
        return this;
    }

    /** @param {Mode} mode */
    set(mode) {
        const before = this.mode;
        this.mode = mode;
        if (mode === 'cut' || before === 'deaf')
            for (const pair of [...this.pairs])
                this.#reset(pair);
        if (mode === 'pass' || mode === 'drip')
            for (const pair of this.pairs)
                pair.flush();
    }

    stop() {
        this.server.close();
        for (const pair of this.pairs)
            this.#reset(pair);
    }

    /** @param {Pair} pair */
    #reset(pair) {
        this.count.reset++;
        pair.client.resetAndDestroy();
        pair.peer.resetAndDestroy();
        this.pairs.delete(pair);
    }

    /** @param {net.Socket} client */
    #accept(client) {
        client.on('error', () => {});
        if (this.mode === 'cut') {
            client.resetAndDestroy();
            return;
        }
        this.count.connections++;
        const peer = net.connect(this.target);
        const pair = new Pair(this, client, peer);
        this.pairs.add(pair);
        const end = () => {
            this.pairs.delete(pair);
            client.destroy();
            peer.destroy();
        };
        peer.on('error', end);
        client.on('close', end);
        peer.on('close', end);
    }
}

/** One connection: bytes of both directions, in order, held while the network stalls. */
class Pair {
    /** @param {Proxy} proxy @param {net.Socket} client @param {net.Socket} peer */
    constructor(proxy, client, peer) {
        this.proxy = proxy;
        this.client = client;
        this.peer = peer;
        /** @type {{to: net.Socket, bytes: Buffer|null}[]} null: the end */
        this.held = [];
        this.isDripping = false;
        this.#pass(client, peer);
        this.#pass(peer, client);
    }

    /** @param {net.Socket} from @param {net.Socket} to */
    #pass(from, to) {
        from.on('data', (bytes) => this.#take(to, bytes));
        from.on('end', () => this.#take(to, null));
    }

    /** @param {net.Socket} to @param {Buffer|null} bytes */
    #take(to, bytes) {
        if (this.proxy.mode === 'deaf' && to === this.client) {
            this.proxy.count.answers_lost += bytes === null ? 0 : 1;
            return;
        }
        this.held.push({ to, bytes });
        this.flush();
    }

    flush() {
        while (this.held.length > 0 && this.proxy.mode !== 'stall' && !this.isDripping) {
            const { to, bytes } = /** @type {{to: net.Socket, bytes: Buffer|null}} */ (this.held.shift());
            if (bytes === null)
                to.end();
            else if (this.proxy.mode === 'drip' && bytes.length > DRIP_BYTES) {
                to.write(bytes.subarray(0, DRIP_BYTES));
                this.held.unshift({ to, bytes: bytes.subarray(DRIP_BYTES) });
                this.isDripping = true;
                setTimeout(() => { this.isDripping = false; this.flush(); }, DRIP_MS);
            } else
                to.write(bytes);
        }
    }
}
