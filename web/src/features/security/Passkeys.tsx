import { ActionIcon, Button, Menu, Modal, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconCloud, IconDots, IconFingerprint, IconPencil, IconPlus, IconTrash } from '@tabler/icons-react';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import { Problem, RowsSkeleton, When } from '@/components/basics';
import { ConfirmByName } from '@/components/secrets';
import { say } from '@/components/undo';
import { addPasskey, hasPasskeys, isDismissed, isKnownHere } from '@/features/sign-in/passkey';
import { passkeysQuery } from '@/features/sign-in/queries';
import { useT } from '@/i18n/i18n';
import { deviceOf } from './device';
import { Section } from './Section';
import type { components } from '@generated/schema';

type Passkey = components['schemas']['Passkey'];

const NAME_MAX = 60;

export function Passkeys() {
    const t = useT();
    const client = useQueryClient();
    const list = useQuery(passkeysQuery);
    const [isAdding, setAdding] = useState(false);
    const [named, setNamed] = useState<Passkey | null>(null);
    const [ending, setEnding] = useState<Passkey | null>(null);
    const remove = useMutation({
        mutationFn: (id: string) => unwrap(api.DELETE('/v1/me/passkeys/{passkey_id}', { params: { path: { passkey_id: id } } })),
        onSuccess: async () => { setEnding(null); say(t('passkeys.removed')); await client.invalidateQueries({ queryKey: keys.me.passkeys }); },
    });
    const rows = list.data?.data ?? [];
    return (
        <Section id="passkeys" title={t('passkeys.title')} text={t('passkeys.text')}
            act={<Button variant="default" leftSection={<IconPlus size={16} aria-hidden />} disabled={!hasPasskeys} title={hasPasskeys ? undefined : t('signin.no_passkeys')} onClick={() => { setAdding(true); }}>{t('passkeys.add')}</Button>}>
            {list.isPending ? <RowsSkeleton count={2} /> : list.isError ? <Problem error={list.error} retry={() => { void list.refetch(); }} /> : rows.length === 0 ? <p className="note" style={{ margin: 0 }}>{t('passkeys.none')}</p> : (
                <>
                    <ul className="rows card" aria-labelledby="passkeys">
                        {rows.map((passkey) => (
                            <li key={passkey.id}>
                                <IconFingerprint size={20} stroke={1.6} aria-hidden className="quiet" style={{ flex: 'none' }} />
                                <div className="grow">
                                    <div className="cut" style={{ fontWeight: 540 }} title={passkey.name}>{passkey.name}</div>
                                    <div className="quiet account-facts">
                                        <span>{t('passkeys.used')} <When at={passkey.last_used_at} none={t('keys.used.never')} /></span>
                                        <span>{t('passkeys.added')} <When at={passkey.created_at} /></span>
                                        {passkey.is_synced && <span className="line" style={{ gap: 4 }}><IconCloud size={14} aria-hidden />{t('passkeys.synced')}</span>}
                                    </div>
                                </div>
                                <Menu position="bottom-end">
                                    <Menu.Target><ActionIcon variant="subtle" color="gray" aria-label={t('acts.of', { name: passkey.name })}><IconDots size={16} /></ActionIcon></Menu.Target>
                                    <Menu.Dropdown>
                                        <Menu.Item leftSection={<IconPencil size={15} aria-hidden />} onClick={() => { setNamed(passkey); }}>{t('passkeys.rename')}</Menu.Item>
                                        <Menu.Item color="red" leftSection={<IconTrash size={15} aria-hidden />} disabled={rows.length === 1} title={rows.length === 1 ? t('passkeys.last') : undefined} onClick={() => { setEnding(passkey); }}>{t('passkeys.remove')}</Menu.Item>
                                    </Menu.Dropdown>
                                </Menu>
                            </li>
                        ))}
                    </ul>
                    {rows.length === 1 && <p className="quiet account-hint">{t('passkeys.one')}</p>}
                </>
            )}
            <Modal opened={isAdding} onClose={() => { setAdding(false); }} title={t('passkeys.add')} closeButtonProps={{ 'aria-label': t('close') }}>
                <Add taken={rows.map((passkey) => passkey.name)} onDone={() => { setAdding(false); }} />
            </Modal>
            <Modal opened={named !== null} onClose={() => { setNamed(null); }} title={t('passkeys.rename')} closeButtonProps={{ 'aria-label': t('close') }}>
                {named !== null && <Rename passkey={named} onDone={() => { setNamed(null); }} />}
            </Modal>
            <ConfirmByName isOpen={ending !== null} title={t('passkeys.remove')} text={t('passkeys.remove.text')} name={ending?.name ?? ''} act={t('passkeys.remove')} isBusy={remove.isPending}
                onClose={() => { setEnding(null); remove.reset(); }} onConfirm={() => { if (ending !== null) remove.mutate(ending.id); }}>
                {remove.isError && <Problem error={remove.error} />}
            </ConfirmByName>
        </Section>
    );
}

/** "Chrome, Linux", and with a number behind when there is one of that name. */
function nameFor(taken: string[]): string {
    const { browser, system } = deviceOf(navigator.userAgent);
    const plain = [browser, system].filter((part) => part !== null).join(', ');
    let name = plain;
    for (let i = 2; taken.includes(name); i++)
        name = `${plain} ${i}`;
    return name;
}

function Add({ taken, onDone }: { taken: string[]; onDone: () => void }) {
    const t = useT();
    const client = useQueryClient();
    const [name, setName] = useState(() => nameFor(taken));
    const add = useMutation({
        mutationFn: () => addPasskey(name.trim()),
        onSuccess: async (passkey) => { onDone(); say(t('passkeys.made', { name: passkey.name })); await client.invalidateQueries({ queryKey: keys.me.passkeys }); },
    });
    return (
        <form className="stack" onSubmit={(event) => { event.preventDefault(); if (name.trim() !== '') add.mutate(); }}>
            <p style={{ margin: 0 }}>{t('passkeys.add.text')}</p>
            {add.error !== null && (isDismissed(add.error) || isKnownHere(add.error) ? <p className="note" role="alert" style={{ margin: 0 }}>{t(isDismissed(add.error) ? 'passkeys.add.dismissed' : 'passkeys.add.known')}</p> : <Problem error={add.error} />)}
            <TextInput label={t('keys.name')} description={t('passkeys.name.help')} value={name} onChange={(event) => { setName(event.currentTarget.value); }} maxLength={NAME_MAX} autoComplete="off" data-autofocus />
            <Button type="submit" leftSection={<IconFingerprint size={18} aria-hidden />} loading={add.isPending} disabled={name.trim() === ''}>{t('enrol.passkey')}</Button>
        </form>
    );
}

function Rename({ passkey, onDone }: { passkey: Passkey; onDone: () => void }) {
    const t = useT();
    const client = useQueryClient();
    const [name, setName] = useState(passkey.name);
    const rename = useMutation({
        mutationFn: () => unwrap(api.PATCH('/v1/me/passkeys/{passkey_id}', { params: { path: { passkey_id: passkey.id } }, body: { name: name.trim() } })),
        onSuccess: async () => { onDone(); await client.invalidateQueries({ queryKey: keys.me.passkeys }); },
    });
    return (
        <form className="stack" onSubmit={(event) => { event.preventDefault(); if (name.trim() !== '') rename.mutate(); }}>
            {rename.isError && <Problem error={rename.error} />}
            <TextInput label={t('keys.name')} description={t('passkeys.name.help')} value={name} onChange={(event) => { setName(event.currentTarget.value); }} maxLength={NAME_MAX} autoComplete="off" data-autofocus />
            <Button type="submit" loading={rename.isPending} disabled={name.trim() === '' || name.trim() === passkey.name}>{t('save')}</Button>
        </form>
    );
}
