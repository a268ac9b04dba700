import { Button, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { components } from '@generated/schema';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import { faultsByField } from '@/api/problem';
import { useMay } from '@/app/session';
import { Problem, RowsSkeleton } from '@/components/basics';
import { say } from '@/components/undo';
import { Limits } from '@/features/usage/Limits';
import { useLanguage } from '@/i18n/i18n';

type Of = components['schemas']['ChannelLimits'];
const names = ['messages_per_second', 'messages_per_day', 'messages_per_month'] as const;

function Form({ id, of }: { id: string; of: Of }) {
    const { t, intl } = useLanguage();
    const client = useQueryClient();
    const [values, setValues] = useState(() => Object.fromEntries(names.map((name) => [name, of[name] === null ? '' : String(of[name])])) as Record<(typeof names)[number], string>);
    const isBad = (text: string) => text !== '' && (!/^[0-9]{1,10}$/.test(text) || Number(text) < 1);
    const save = useMutation({
        mutationFn: () => unwrap(api.PUT('/v1/channels/{channel_id}/limits', { params: { path: { channel_id: id } }, body: Object.fromEntries(names.map((name) => [name, values[name] === '' ? null : Number(values[name])])) })),
        onSuccess: (now) => { client.setQueryData(keys.channels.limits(id), now); say(t('settings.saved')); return client.invalidateQueries({ queryKey: keys.channelUsage }); },
    });
    const faults = faultsByField(save.error);
    const isChanged = names.some((name) => values[name] !== (of[name] === null ? '' : String(of[name])));
    return (
        <form className="form" noValidate onSubmit={(event) => { event.preventDefault(); if (!names.some((name) => isBad(values[name]))) save.mutate(); }}>
            {save.isError && <Problem error={save.error} />}
            <p className="quiet" style={{ margin: 0 }}>{t('limits.text')}</p>
            {names.map((name) => (
                <TextInput key={name} label={t(`limits.${name}`)} description={t('limits.in_force', { limit: intl.formatNumber(of.in_force[name]) })} inputMode="numeric" value={values[name]}
                    onChange={(event) => { setValues({ ...values, [name]: event.currentTarget.value.trim() }); }} error={isBad(values[name]) ? t('limits.bad') : faults[`/${name}`]} />
            ))}
            <div className="line"><Button type="submit" disabled={!isChanged} loading={save.isPending}>{t('save')}</Button></div>
        </form>
    );
}

/** How far the sender's limits are used, and what the workspace sets itself. */
export function ChannelLimits({ id }: { id: string }) {
    const { t } = useLanguage();
    const may = useMay();
    const usage = useQuery({ queryKey: keys.channelUsage, enabled: may('usage:read'), queryFn: () => unwrap(api.GET('/v1/usage/channels', { params: { query: { limit: 100 } } })) });
    const own = useQuery({ queryKey: keys.channels.limits(id), queryFn: () => unwrap(api.GET('/v1/channels/{channel_id}/limits', { params: { path: { channel_id: id } } })) });
    const limits = usage.data?.data.find((each) => each.id === id)?.limits ?? [];
    return (
        <section className="section">
            <h2>{t('limits.title')}</h2>
            {usage.isLoading ? <RowsSkeleton count={3} /> : limits.length !== 0 && <Limits limits={limits} />}
            {may('channels:manage') && <div style={{ marginTop: 20 }}>{own.isPending ? <RowsSkeleton count={3} /> : own.isError ? <Problem error={own.error} retry={() => { void own.refetch(); }} /> : <Form id={id} of={own.data} />}</div>}
        </section>
    );
}
