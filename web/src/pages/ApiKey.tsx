import { Button, Checkbox, Modal, Select, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconRotate, IconTrash } from '@tabler/icons-react';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { useState, type ReactNode } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import { faultsByField } from '@/api/problem';
import type { ApiKey as KeyOf, Scope } from '@/api/types';
import { useSession } from '@/app/session';
import { Code, Facts, Page, Problem, RowsSkeleton, When } from '@/components/basics';
import { CodeTabs } from '@/components/CodeTabs';
import { ConfirmByName, SecretOnce } from '@/components/secrets';
import { StatusBadge } from '@/components/status';
import { say } from '@/components/undo';
import { CidrEditor } from '@/features/keys/CidrEditor';
import { apiKeyOne, keyState } from '@/features/keys/queries';
import { scopeWords } from '@/features/keys/scopes';
import { Smpp } from '@/features/keys/Smpp';
import { useLanguage, useT } from '@/i18n/i18n';

const route = getRouteApi('/app/api-keys/$keyId');
const overlaps = ['0', '3600', '86400', '604800'] as const;
const days = ['30', '90', '365'] as const;

export default function ApiKey() {
    const t = useT();
    const { keyId } = route.useParams();
    const query = useQuery(apiKeyOne(keyId));
    const back = { to: '/api-keys', word: t('nav.keys') };
    return query.isPending ? <Page title={t('keys.one')} back={back}><RowsSkeleton count={6} /></Page>
        : query.isError ? <Page title={t('keys.one')} back={back}><Problem error={query.error} retry={() => { void query.refetch(); }} /></Page>
        : <One key={query.data.id} of={query.data} />;
}

function Rotate({ of, isOpen, onClose }: { of: KeyOf; isOpen: boolean; onClose: () => void }) {
    const t = useT();
    const client = useQueryClient();
    const [overlap, setOverlap] = useState<string>('86400');
    const rotate = useMutation({
        mutationFn: () => unwrap(api.POST('/v1/api-keys/{key_id}/rotate', { params: { path: { key_id: of.id } }, body: { overlap_s: Number(overlap) } })),
        onSuccess: () => { onClose(); return client.invalidateQueries({ queryKey: keys.apiKeys.all }); },
    });
    const secret = rotate.data?.key ?? null;
    return (
        <>
            <Modal opened={isOpen} onClose={() => { rotate.reset(); onClose(); }} title={t('keys.rotate')} closeButtonProps={{ 'aria-label': t('close') }}>
                <div className="stack">
                    <p style={{ margin: 0 }}>{t('keys.rotate.text')}</p>
                    <Select label={t('overlap')} description={t('overlap.help')} allowDeselect={false} value={overlap} onChange={(value) => { setOverlap(value ?? '86400'); }} data={overlaps.map((value) => ({ value, label: t(`overlap.${value}`) }))} />
                    {rotate.isError && <Problem error={rotate.error} />}
                    <Button loading={rotate.isPending} onClick={() => { rotate.mutate(); }}>{t('keys.rotate')}</Button>
                </div>
            </Modal>
            <SecretOnce title={t('keys.rotated')} text={t('keys.made.text')} secret={secret} onDone={() => { rotate.reset(); }}>
                {secret !== null && <CodeTabs method="GET" path="/v1/messages?limit=5" bearer={secret} />}
            </SecretOnce>
        </>
    );
}

function One({ of }: { of: KeyOf }) {
    const { t, intl } = useLanguage();
    const navigate = useNavigate();
    const client = useQueryClient();
    const { permissions } = useSession();
    const [asking, setAsking] = useState<'rotate' | 'revoke' | null>(null);
    const [name, setName] = useState(of.name);
    const [scopes, setScopes] = useState<string[]>(of.scopes);
    const [cidrs, setCidrs] = useState<string[]>(of.allowed_cidrs);
    const [expiry, setExpiry] = useState<string>('same');
    const isSame = (one: readonly string[], other: readonly string[]) => one.length === other.length && one.every((each) => other.includes(each));
    const change = {
        ...(name.trim() === of.name ? {} : { name: name.trim() }), ...(isSame(scopes, of.scopes) ? {} : { scopes: scopes as Scope[] }), ...(isSame(cidrs, of.allowed_cidrs) ? {} : { allowed_cidrs: cidrs }),
        ...(expiry === 'same' ? {} : { expires_at: expiry === 'never' ? null : new Date(Date.now() + Number(expiry) * 86_400_000).toISOString() }),
    };
    const isFit = name.trim() !== '' && scopes.length !== 0;
    const save = useMutation({
        mutationFn: () => unwrap(api.PATCH('/v1/api-keys/{key_id}', { params: { path: { key_id: of.id } }, body: change })),
        onSuccess: (now) => { setExpiry('same'); setName(now.name); setScopes(now.scopes); setCidrs(now.allowed_cidrs); client.setQueryData(keys.apiKeys.one(of.id), now); say(t('settings.saved')); return client.invalidateQueries({ queryKey: keys.apiKeys.all }); },
    });
    const revoke = useMutation({
        mutationFn: () => unwrap(api.DELETE('/v1/api-keys/{key_id}', { params: { path: { key_id: of.id } } })),
        onSuccess: async () => { say(t('keys.revoked')); await client.invalidateQueries({ queryKey: keys.apiKeys.all }); await navigate({ to: '/api-keys' }); },
    });
    const faults = faultsByField(save.error);
    const isOver = keyState(of) !== 'active';
    const facts: [string, ReactNode][] = [
        [t('messages.status'), <StatusBadge key="s" state={keyState(of)} />], [t('keys.key'), <span key="k" className="mono">hk_{of.mode}_…{of.last_four}</span>], [t('messages.id'), <Code key="i" text={of.id} />],
        [t('keys.used'), <span key="u" className="line"><When at={of.last_used_at} none={t('keys.used.never')} />{of.last_used_from !== null && <span className="mono">{of.last_used_from}</span>}</span>],
        [t('keys.expires'), <When key="e" at={of.expires_at} none={t('keys.expires.never')} />],
        [t('created'), <When key="c" at={of.created_at} />],
        ...(of.created_by?.id == null ? [] : [[t('keys.made_by'), <Code key="m" text={of.created_by.id} />] as [string, ReactNode]]),
        ...(of.rotated_at === null ? [] : [[t('keys.rotated_at'), <When key="r" at={of.rotated_at} />] as [string, ReactNode]]),
        ...(of.previous_until === null || Date.parse(of.previous_until) <= Date.now() ? [] : [[t('webhooks.previous_until'), <When key="p" at={of.previous_until} />] as [string, ReactNode]]),
    ];
    return (
        <Page title={of.name} purpose={t('keys.one')} back={{ to: '/api-keys', word: t('nav.keys') }}
            acts={isOver ? undefined : <>
                <Button variant="default" leftSection={<IconRotate size={16} aria-hidden />} onClick={() => { setAsking('rotate'); }}>{t('keys.rotate')}</Button>
                <Button variant="default" color="red" leftSection={<IconTrash size={16} aria-hidden />} onClick={() => { setAsking('revoke'); }}>{t('keys.revoke')}</Button>
            </>}>
            <div className="card card-pad"><Facts rows={facts} /></div>
            {!isOver && (
                <section className="section">
                    <h2>{t('keys.edit')}</h2>
                    <form className="form" noValidate onSubmit={(event) => { event.preventDefault(); if (isFit && Object.keys(change).length !== 0) save.mutate(); }}>
                        {save.isError && <Problem error={save.error} />}
                        <TextInput label={t('keys.name')} description={t('keys.name.help')} value={name} onChange={(event) => { setName(event.currentTarget.value); }} error={name.trim() === '' ? t('keys.name.missing') : faults['/name']} maxLength={80} />
                        <Checkbox.Group label={t('keys.scopes')} description={t('keys.scopes.help')} value={scopes} onChange={setScopes} error={scopes.length === 0 ? t('keys.scopes.missing') : faults['/scopes']}>
                            <div className="choices" style={{ marginTop: 12 }}>
                                {Object.entries(scopeWords).map(([scope, word]) => {
                                    const isMine = (permissions as string[]).includes(scope);
                                    return <Checkbox key={scope} value={scope} disabled={!isMine && !of.scopes.includes(scope as Scope)} label={t(word)} description={isMine ? <span className="mono" style={{ fontSize: 11.5 }}>{scope}</span> : t('keys.scopes.not_yours')} />;
                                })}
                            </div>
                        </Checkbox.Group>
                        <CidrEditor value={cidrs} onChange={setCidrs} error={faults['/allowed_cidrs']} />
                        <Select label={t('keys.expires')} description={t('keys.expires.help')} allowDeselect={false} value={expiry} onChange={(value) => { setExpiry(value ?? 'same'); }}
                            data={[{ value: 'same', label: of.expires_at === null ? t('keys.expires.stays_never') : t('keys.expires.stays', { when: intl.formatDate(of.expires_at, { dateStyle: 'medium' }) }) }, ...days.map((each) => ({ value: each, label: t('keys.expires.days', { count: Number(each) }) })), ...(of.expires_at === null ? [] : [{ value: 'never', label: t('keys.expires.never') }])]} />
                        <div className="line"><Button type="submit" loading={save.isPending} disabled={!isFit || Object.keys(change).length === 0}>{t('save')}</Button></div>
                    </form>
                </section>
            )}
            {!isOver && <Smpp of={of} />}
            <Rotate of={of} isOpen={asking === 'rotate'} onClose={() => { setAsking(null); }} />
            <ConfirmByName isOpen={asking === 'revoke'} title={t('keys.revoke')} text={t('keys.revoke.text')} name={of.name} act={t('keys.revoke')} isBusy={revoke.isPending} onClose={() => { setAsking(null); }} onConfirm={() => { revoke.mutate(); }}>{revoke.isError && <Problem error={revoke.error} />}</ConfirmByName>
        </Page>
    );
}
