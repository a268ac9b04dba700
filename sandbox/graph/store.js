// @ts-check
/**
 * Everything the simulator remembers, in memory, with an optional journal: one line of JSON for each change,
 * replayed at start and then rewritten without what is no longer true. Media bytes lie in files beside it.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** @typedef {'account'|'phone'|'template'|'media'|'message'|'chat'|'handset'|'update'|'upload'|'setting'|'sms'|'sms_account'|'sms_dlt'} Kind */

const KINDS = /** @type {Kind[]} */ (['setting', 'account', 'phone', 'template', 'media', 'handset', 'chat', 'message', 'update', 'upload', 'sms_account', 'sms_dlt', 'sms']);
const MESSAGES_MAX = 50_000; /* the oldest go: a load test must not eat the machine */
const REWRITE_LINES_MIN = 200_000;

export class Store {
    /** @param {string|null} file the journal, or null for memory only */
    constructor(file) {
        this.file = file;
        /** @type {Record<Kind, Map<string, any>>} */
        this.maps = /** @type {any} */ (Object.fromEntries(KINDS.map((kind) => [kind, new Map()])));
        /** Message ids of each chat, in order. @type {Map<string, string[]>} */
        this.chatMessages = new Map();
        /** @type {Map<string, Buffer>} */
        this.mediaBytes = new Map();
        /** @type {string[]} */
        this.pendingLines = [];
        this.lineCount = 0;
        /** @type {NodeJS.Immediate|null} */
        this.flushAt = null;
        if (file !== null)
            this.#replay(file);
    }

    /** @returns {Map<string, import('./types.js').Account>} */
    get accounts() { return this.maps.account; }
    /** @returns {Map<string, import('./types.js').Phone>} */
    get phones() { return this.maps.phone; }
    /** @returns {Map<string, import('./types.js').Template>} */
    get templates() { return this.maps.template; }
    /** @returns {Map<string, import('./types.js').Media>} */
    get media() { return this.maps.media; }
    /** @returns {Map<string, import('./types.js').Message>} */
    get messages() { return this.maps.message; }
    /** @returns {Map<string, import('./types.js').Chat>} */
    get chats() { return this.maps.chat; }
    /** @returns {Map<string, import('./types.js').Handset>} */
    get handsets() { return this.maps.handset; }
    /** @returns {Map<string, import('./types.js').Update>} */
    get updates() { return this.maps.update; }
    /** @returns {Map<string, import('./types.js').Upload>} */
    get uploads() { return this.maps.upload; }

    /** Keeps a value under its id, new or changed. @param {Kind} kind @param {string} id @param {any} value */
    put(kind, id, value) {
        if (kind === 'message' && !this.messages.has(id))
            this.#index(value);
        this.maps[kind].set(id, value);
        this.#journal({ put: kind, id, value });
    }

    /** @param {Kind} kind @param {string} id */
    remove(kind, id) {
        const value = this.maps[kind].get(id);
        if (value === undefined)
            return;
        this.maps[kind].delete(id);
        if (kind === 'message') {
            const ids = this.chatMessages.get(chatId(value.phone_number_id, value.wa_id));
            const at = ids?.indexOf(id) ?? -1;
            if (at >= 0)
                ids?.splice(at, 1);
        }
        if (kind === 'media' || kind === 'upload')
            this.removeMediaBytes(id);
        this.#journal({ remove: kind, id });
    }

    /** Forgets all of some kinds. @param {Kind[]} kinds */
    clear(kinds) {
        for (const kind of kinds)
            for (const id of [...this.maps[kind].keys()])
                this.remove(kind, id);
        if (kinds.includes('message'))
            this.chatMessages.clear();
    }

    /** @param {string} id @param {Buffer} bytes */
    putMediaBytes(id, bytes) {
        if (this.file === null) {
            this.mediaBytes.set(id, bytes);
            return;
        }
        mkdirSync(dirname(this.#mediaPath(id)), { recursive: true });
        writeFileSync(this.#mediaPath(id), bytes, { mode: 0o600 });
    }

    /** @param {string} id @returns {Buffer|null} */
    getMediaBytes(id) {
        if (this.file === null)
            return this.mediaBytes.get(id) ?? null;
        const path = this.#mediaPath(id);
        return existsSync(path) ? readFileSync(path) : null;
    }

    /** @param {string} id */
    removeMediaBytes(id) {
        this.mediaBytes.delete(id);
        if (this.file !== null)
            rmSync(this.#mediaPath(id), { force: true });
    }

    /** Messages of one chat, oldest first. @param {string} phoneNumberId @param {string} waId @returns {import('./types.js').Message[]} */
    messagesOf(phoneNumberId, waId) {
        const ids = this.chatMessages.get(chatId(phoneNumberId, waId)) ?? [];
        return ids.flatMap((id) => this.messages.get(id) ?? []);
    }

    /** Writes what waits. */
    flush() {
        if (this.flushAt !== null)
            clearImmediate(this.flushAt);
        this.flushAt = null;
        if (this.file === null || this.pendingLines.length === 0)
            return;
        appendFileSync(this.file, this.pendingLines.join(''));
        this.pendingLines = [];
        if (this.lineCount > REWRITE_LINES_MIN && this.lineCount > 5 * this.#size())
            this.#rewrite(this.file);
    }

    /** @param {any} message */
    #index(message) {
        const chat = chatId(message.phone_number_id, message.wa_id);
        const ids = this.chatMessages.get(chat);
        if (ids === undefined)
            this.chatMessages.set(chat, [message.id]);
        else
            ids.push(message.id);
        if (this.messages.size >= MESSAGES_MAX)
            this.remove('message', /** @type {string} */ (this.messages.keys().next().value));
    }

    #size() {
        return KINDS.reduce((sum, kind) => sum + this.maps[kind].size, 0);
    }

    /** @param {string} id */
    #mediaPath(id) {
        return join(`${this.file}.media`, id.replace(/[^0-9A-Za-z]/g, '_'));
    }

    /** @param {object} change */
    #journal(change) {
        if (this.file === null)
            return;
        this.pendingLines.push(JSON.stringify(change) + '\n');
        this.lineCount++;
        this.flushAt ??= setImmediate(() => { this.flushAt = null; this.flush(); });
    }

    /** @param {string} file */
    #replay(file) {
        mkdirSync(dirname(file), { recursive: true });
        const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
        const torn = lines.pop(); /* a kill in the middle of a write leaves half a line at the end */
        for (const line of lines.filter((text) => text !== '')) {
            const change = JSON.parse(line);
            const map = this.maps[/** @type {Kind} */ (change.put ?? change.remove)];
            if (map === undefined)
                continue;
            if (change.put !== undefined)
                map.set(change.id, change.value);
            else
                map.delete(change.id);
        }
        for (const message of this.messages.values()) {
            const chat = chatId(message.phone_number_id, message.wa_id);
            this.chatMessages.set(chat, [...(this.chatMessages.get(chat) ?? []), message.id]);
        }
        if (lines.length > 0 || (torn ?? '') !== '')
            this.#rewrite(file);
    }

    /** @param {string} file */
    #rewrite(file) {
        const lines = [];
        for (const kind of KINDS)
            for (const [id, value] of this.maps[kind])
                lines.push(JSON.stringify({ put: kind, id, value }) + '\n');
        const next = `${file}.next`;
        if (existsSync(next))
            unlinkSync(next);
        writeFileSync(next, lines.join(''), { mode: 0o600 });
        renameSync(next, file);
        this.lineCount = lines.length;
    }
}

/** @param {string} phoneNumberId @param {string} waId */
export const chatId = (phoneNumberId, waId) => `${phoneNumberId}/${waId}`;
