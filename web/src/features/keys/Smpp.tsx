import { Button, NumberInput, Select, Switch } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import { ApiError, faultsByField } from '@/api/problem';
import type { ApiKey, SmppAccount } from '@/api/types';
import { useMay } from '@/app/session';
import { Code, Copy, Facts, Problem, RowsSkeleton, When } from '@/components/basics';
import { ConfirmByName, SecretOnce } from '@/components/secrets';
import { say } from '@/components/undo';
import { channelsQuery } from '@/features/channels/queries';
import { useT } from '@/i18n/i18n';

const categories = ['otp', 'transactional', 'service', 'promotional'] as const;
type Category = (typeof categories)[number];

/** By what software that speaks SMPP binds as this key. */
export function Smpp({ of }: { of: ApiKey }) {
    const t = useT();
    const client = useQueryClient();
    /* Here, and not with the account, which is read anew as soon as it has changed: the password is nowhere else. */
    const [made, setMade] = useState<SmppAccount | null>(null);
    const query = useQuery({
        queryKey: keys.apiKeys.smpp(of.id),
        queryFn: async () => {
            try {
                return await unwrap(api.GET('/v1/api-keys/{key_id}/smpp', { params: { path: { key_id: of.id } } }));
            } catch (error) {
                if (error instanceof ApiError && error.status === 404)
                    return null; /* it has none */
                throw error;
            }
        },
    });
    return (
        <section className="section">
            <h2>{t('keys.smpp')}</h2>
            {query.isPending ? <RowsSkeleton count={3} /> : query.data === undefined ? <Problem error={query.error} retry={() => { void query.refetch(); }} /> : <Account key={query.data?.updated_at ?? ''} of={of} account={query.data} onMade={setMade} />}
            <SecretOnce title={t('keys.smpp.made')} text={t('keys.smpp.made.text')} secret={made?.password ?? null} onDone={() => { setMade(null); void client.invalidateQueries({ queryKey: keys.apiKeys.smpp(of.id) }); }}>
                {made !== null && <Facts rows={[[t('keys.smpp.system_id'), <span key="i" className="line" style={{ gap: 2 }}><span className="mono" data-testid="system-id">{made.system_id}</span><Copy text={made.system_id} /></span>], [t('keys.smpp.host'), made.listens_on ?? t('keys.smpp.nowhere')]]} />}
            </SecretOnce>
        </section>
    );
}

function Account({ of, account, onMade }: { of: ApiKey; account: SmppAccount | null; onMade: (made: SmppAccount) => void }) {
    const t = useT();
    const may = useMay();
    const client = useQueryClient();
    const channels = useQuery({ ...channelsQuery, enabled: may('channels:read') });
    const [isOpen, setOpen] = useState(false);
    const [isEnding, setEnding] = useState(false);
    const [channel, setChannel] = useState<string | null>(account?.channel_id ?? null);
    const [category, setCategory] = useState<Category>(account?.category ?? 'transactional');
    const [binds, setBinds] = useState<number | ''>(account?.binds_max ?? 4);
    const [isDeduped, setDeduped] = useState(account?.dedupe === 'reference');
    const [asked, setAsked] = useState(false);
    const path = { key_id: of.id };
    const isBindsBad = binds === '' || binds < 1 || binds > 32;
    const give = useMutation({
        mutationFn: (channel_id: string) => unwrap(api.PUT('/v1/api-keys/{key_id}/smpp', { params: { path }, body: { channel_id, category, binds_max: binds === '' ? 4 : binds, dedupe: isDeduped ? 'reference' : 'none' } })),
        onSuccess: (now) => { onMade(now); setOpen(false); },
    });
    const remove = useMutation({
        mutationFn: () => unwrap(api.DELETE('/v1/api-keys/{key_id}/smpp', { params: { path } })),
        onSuccess: () => { say(t('keys.smpp.removed')); client.setQueryData(keys.apiKeys.smpp(of.id), null); setEnding(false); },
    });
    const faults = faultsByField(give.error);
    const nameOf = (id: string) => channels.data?.find((each) => each.id === id)?.name ?? `…${id.slice(-6)}`;
    const choices = (channels.data ?? []).map(({ id, name }) => ({ value: id, label: name }));
    const isSender = of.scopes.includes('messages:send');
    return (
        <>
            <p className="quiet" style={{ margin: '0 0 16px', maxWidth: '72ch' }}>{t('keys.smpp.text')}</p>
            {!isSender && <p className="note" style={{ margin: '0 0 16px' }}>{t('keys.smpp.no_scope')}</p>}
            {account !== null && (
                <div className="card card-pad stack">
                    <Facts rows={[
                        [t('keys.smpp.system_id'), <Code key="i" text={account.system_id} />], [t('keys.smpp.host'), account.listens_on === null ? <span key="h" className="quiet">{t('keys.smpp.nowhere')}</span> : <Code key="h" text={account.listens_on} />],
                        [t('messages.channel'), nameOf(account.channel_id)], [t('messages.category'), t(`category.${account.category}`)], [t('keys.smpp.binds'), String(account.binds_max)], [t('keys.smpp.dedupe'), t(account.dedupe === 'reference' ? 'keys.smpp.dedupe.on' : 'keys.smpp.dedupe.off')], [t('keys.smpp.made_at'), <When key="w" at={account.updated_at} />],
                    ]} />
                    {account.listens_on === null && <p className="note" role="status" style={{ margin: 0 }}>{t('keys.smpp.off')}</p>}
                    <div className="line"><Button variant="default" onClick={() => { setOpen(!isOpen); }} aria-expanded={isOpen}>{t('keys.smpp.again')}</Button><Button variant="default" style={{ color: 'var(--st-red)' }} onClick={() => { setEnding(true); }}>{t('keys.smpp.remove')}</Button></div>
                </div>
            )}
            {account === null && !isOpen && <Button variant="default" disabled={!isSender} onClick={() => { setOpen(true); }}>{t('keys.smpp.give')}</Button>}
            {isOpen && (
                <form className="form" style={{ marginTop: account === null ? 0 : 20 }} noValidate onSubmit={(event) => { event.preventDefault(); setAsked(true); if (channel !== null && !isBindsBad) give.mutate(channel); }}>
                    {give.isError && <Problem error={give.error} />}
                    {account !== null && <p className="note" role="status" style={{ margin: 0 }}>{t('keys.smpp.again.text')}</p>}
                    {channels.isError && <Problem error={channels.error} />}
                    {channels.data?.length === 0 && <p className="note" style={{ margin: 0 }}>{t('keys.smpp.no_channel')} <Link to="/channels/connect" search={{ kind: 'sms' }}>{t('channels.connect')}</Link></p>}
                    <Select label={t('messages.channel')} description={t('keys.smpp.channel.help')} allowDeselect={false} value={channel} error={asked && channel === null ? t('keys.smpp.channel.missing') : faults['/channel_id']} onChange={setChannel}
                        data={channel === null || choices.some(({ value }) => value === channel) ? choices : [...choices, { value: channel, label: nameOf(channel) }]} />
                    <Select label={t('messages.category')} description={t('keys.smpp.category.help')} allowDeselect={false} value={category} error={faults['/category']} data={categories.map((value) => ({ value, label: t(`category.${value}`) }))} onChange={(value) => { setCategory(categories.find((each) => each === value) ?? category); }} />
                    <NumberInput label={t('keys.smpp.binds')} description={t('keys.smpp.binds.help')} min={1} max={32} clampBehavior="none" allowDecimal={false} allowNegative={false} value={binds} error={isBindsBad ? t('keys.smpp.binds.bad') : faults['/binds_max']} onChange={(value) => { setBinds(typeof value === 'number' ? value : ''); }} />
                    <Switch label={t('keys.smpp.dedupe')} description={t('keys.smpp.dedupe.help')} checked={isDeduped} onChange={(event) => { setDeduped(event.currentTarget.checked); }} />
                    <div className="line"><Button type="submit" loading={give.isPending}>{t(account === null ? 'keys.smpp.give' : 'keys.smpp.again')}</Button><Button variant="subtle" color="gray" onClick={() => { give.reset(); setOpen(false); }}>{t('cancel')}</Button></div>
                </form>
            )}
            {account !== null && <ConfirmByName isOpen={isEnding} title={t('keys.smpp.remove')} text={t('keys.smpp.remove.text')} name={account.system_id} act={t('keys.smpp.remove')} isBusy={remove.isPending} onClose={() => { remove.reset(); setEnding(false); }} onConfirm={() => { remove.mutate(); }}>{remove.isError && <Problem error={remove.error} />}</ConfirmByName>}
        </>
    );
}
