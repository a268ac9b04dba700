import { Button, Chip, NumberInput, SegmentedControl, Select, Switch } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import type { PolicySettings } from '@/api/types';
import { useMay } from '@/app/session';
import { Problem, When } from '@/components/basics';
import { say } from '@/components/undo';
import { useT } from '@/i18n/i18n';
import { categories, changeOf, channelKinds, channelNames, days, faultOf, policyOf, times, type Policy } from './change';

const rules = ['required', 'unless-withdrawn'] as const;
const dndRules = ['when-known', 'required', 'off'] as const;

function Heading({ title, text }: { title: string; text: string }) {
    return <div><h2 style={{ margin: 0 }}>{title}</h2><p className="quiet" style={{ margin: '4px 0 0' }}>{text}</p></div>;
}

export function PolicyForm({ settings }: { settings: PolicySettings }) {
    const t = useT();
    const client = useQueryClient();
    const isMine = useMay()('settings:manage');
    const before = policyOf(settings);
    const [policy, setPolicy] = useState<Policy>(before);
    const patch = useMutation({
        mutationFn: (body: Partial<Policy>) => unwrap(api.PATCH('/v1/settings/policy', { body })),
        onSuccess: (saved) => { client.setQueryData(keys.policy, saved); setPolicy(policyOf(saved)); say(t('settings.saved')); },
    });
    const change = changeOf(before, policy);
    const fault = faultOf(policy);
    const quiet = policy.quiet_hours;
    const setQuiet = (part: Partial<Policy['quiet_hours']>) => { setPolicy({ ...policy, quiet_hours: { ...quiet, ...part } }); };
    const cap = (value: number | string) => (typeof value === 'number' && value > 0 ? value : null);
    return (
        <form className="form" onSubmit={(event) => { event.preventDefault(); if (change !== null && fault === null) patch.mutate(change); }}>
            {patch.isError && <Problem error={patch.error} />}
            <section className="stack">
                <Heading title={t('policy.quiet')} text={t('policy.quiet.text')} />
                <Switch label={t('policy.quiet.on')} description={t('policy.quiet.on.help')} checked={quiet.enabled} disabled={!isMine} onChange={(event) => { setQuiet({ enabled: event.currentTarget.checked }); }} />
                {!quiet.enabled && <p className="note" role="status" style={{ margin: 0 }}>{t('policy.quiet.off.warning')}</p>}
                <div>
                    <div id="india-label" style={{ fontWeight: 500, marginBottom: 4 }}>{t('policy.quiet.india')}</div>
                    <SegmentedControl aria-labelledby="india-label" disabled={!isMine || !quiet.enabled} value={quiet.india_from} data={[{ value: '09:00', label: t('policy.quiet.india.nine') }, { value: '10:00', label: t('policy.quiet.india.ten') }]} onChange={(value) => { setQuiet({ india_from: value === '10:00' ? '10:00' : '09:00' }); }} />
                    <p className="quiet" style={{ margin: '4px 0 0', fontSize: 13 }}>{t('policy.quiet.india.help')}</p>
                </div>
                <div className="line" style={{ alignItems: 'flex-start' }}>
                    <Select label={t('policy.quiet.from')} w={140} searchable allowDeselect={false} disabled={!isMine || !quiet.enabled} value={quiet.from} data={times(quiet.from).filter((time) => time !== '24:00')} onChange={(value) => { setQuiet({ from: value ?? quiet.from }); }} />
                    <Select label={t('policy.quiet.until')} w={140} searchable allowDeselect={false} disabled={!isMine || !quiet.enabled} value={quiet.until} data={times(quiet.until).filter((time) => time !== '00:00')} onChange={(value) => { setQuiet({ until: value ?? quiet.until }); }} />
                </div>
                <p className="quiet" style={{ margin: '-8px 0 0', fontSize: 13 }}>{t('policy.quiet.own.help')}</p>
                <div role="group" aria-labelledby="days-label">
                    <div id="days-label" style={{ fontWeight: 500, marginBottom: 8 }}>{t('policy.quiet.days')}</div>
                    <Chip.Group multiple value={quiet.days} onChange={(chosen) => { setQuiet({ days: days.filter((day) => chosen.includes(day)) }); }}>
                        <div className="line">{days.map((day) => <Chip key={day} value={day} size="sm" disabled={!isMine || !quiet.enabled}>{t(`weekday.${day}`)}</Chip>)}</div>
                    </Chip.Group>
                </div>
                <NumberInput label={t('policy.quiet.spread')} description={t('policy.quiet.spread.help')} min={0} max={240} allowDecimal={false} disabled={!isMine || !quiet.enabled} value={quiet.spread_minutes} onChange={(value) => { setQuiet({ spread_minutes: typeof value === 'number' ? value : 0 }); }} />
            </section>
            <section className="stack">
                <Heading title={t('policy.caps')} text={t('policy.caps.text')} />
                <div className="line" style={{ alignItems: 'flex-start' }}>
                    <NumberInput label={t('policy.caps.day')} placeholder={t('policy.caps.none')} w={200} min={1} max={1000} allowDecimal={false} disabled={!isMine} value={policy.promotional_per_day ?? ''} onChange={(value) => { setPolicy({ ...policy, promotional_per_day: cap(value) }); }} />
                    <NumberInput label={t('policy.caps.week')} placeholder={t('policy.caps.none')} w={200} min={1} max={1000} allowDecimal={false} disabled={!isMine} value={policy.promotional_per_week ?? ''} onChange={(value) => { setPolicy({ ...policy, promotional_per_week: cap(value) }); }} />
                </div>
            </section>
            <section className="stack">
                <Heading title={t('policy.consent')} text={t('policy.consent.text')} />
                {categories.map((category) => (
                    <div key={category} role="group" aria-label={t(`category.${category}`)} className="line" style={{ alignItems: 'flex-end' }}>
                        <span style={{ flex: '1 0 110px', alignSelf: 'center' }}>{t(`category.${category}`)}</span>
                        {channelKinds.map((kind) => (
                            <Select key={kind} label={channelNames[kind]} style={{ flex: '1 1 200px' }} allowDeselect={false} disabled={!isMine} value={policy.consent[kind][category]} data={rules.map((value) => ({ value, label: t(`policy.consent.${value}`) }))} onChange={(value) => { setPolicy({ ...policy, consent: { ...policy.consent, [kind]: { ...policy.consent[kind], [category]: value === 'required' ? 'required' : 'unless-withdrawn' } } }); }} />
                        ))}
                    </div>
                ))}
            </section>
            <section className="stack">
                <Heading title={t('policy.dnd')} text={t('policy.dnd.text')} />
                <Select label={t('policy.dnd.rule')} description={t(`policy.dnd.${policy.dnd}.help`)} allowDeselect={false} disabled={!isMine} value={policy.dnd} data={dndRules.map((value) => ({ value, label: t(`policy.dnd.${value}`) }))} onChange={(value) => { setPolicy({ ...policy, dnd: dndRules.find((rule) => rule === value) ?? policy.dnd }); }} />
            </section>
            {fault !== null && <p className="note" role="alert" style={{ margin: 0 }}>{t(fault)}</p>}
            <div className="line"><Button type="submit" disabled={!isMine || change === null || fault !== null} title={isMine ? undefined : t('may.not')} loading={patch.isPending}>{t('save')}</Button>{settings.updated_at !== null && <span className="quiet" style={{ fontSize: 13 }}>{t('updated')} <When at={settings.updated_at} /></span>}</div>
        </form>
    );
}
