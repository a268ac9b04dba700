import type { components } from '@generated/schema';

type Checkpoint = components['schemas']['AuditCheckpoint'];
type Keys = components['schemas']['AuditCheckpointList']['keys'];
export type Signed = 'valid' | 'invalid' | 'unknown-key' | 'unsupported';

function bytesOf(hex: string): Uint8Array<ArrayBuffer> {
    return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** What is signed: five lines, as the contract has them. */
export function checkpointText(workspace: string, checkpoint: Pick<Checkpoint, 'size' | 'root' | 'at'>): string {
    const root = btoa(String.fromCharCode(...bytesOf(checkpoint.root)));
    return `harkara-audit/1\n${workspace}\n${checkpoint.size}\n${root}\n${checkpoint.at}\n`;
}

/** Whether one of the workspace's keys has signed the checkpoint: Ed25519, in this browser. */
export async function checkSignature(workspace: string, checkpoint: Checkpoint, keys: Keys): Promise<Signed> {
    const key = keys.find(({ generation }) => generation === checkpoint.generation);
    if (key === undefined)
        return 'unknown-key';
    let imported;
    try {
        imported = await crypto.subtle.importKey('raw', bytesOf(key.public_key), { name: 'Ed25519' }, false, ['verify']);
    } catch (error) {
        return error instanceof DOMException && error.name === 'NotSupportedError' ? 'unsupported' : 'invalid';
    }
    const text = new TextEncoder().encode(checkpointText(workspace, checkpoint));
    return await crypto.subtle.verify({ name: 'Ed25519' }, imported, bytesOf(checkpoint.signature), text) ? 'valid' : 'invalid';
}

/**
 * A server that gives the signature gives the key, too. So a key is remembered where it is seen first, and another one for the same
 * generation is told: that much a browser can know by itself. `kept` is what was remembered, and what is to be from now on.
 */
export function compareKey(kept: string | null, publicKey: string): { isSame: boolean; keep: string } {
    return kept === null ? { isSame: true, keep: publicKey } : { isSame: kept === publicKey, keep: kept };
}

export function isKeyKnown(workspace: string, generation: number, publicKey: string, store: Pick<Storage, 'getItem' | 'setItem'> = localStorage): boolean {
    const name = `harkara-audit-key-${workspace}-${generation}`;
    const { isSame, keep } = compareKey(store.getItem(name), publicKey);
    store.setItem(name, keep);
    return isSame;
}
