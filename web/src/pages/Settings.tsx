import { Button, NumberInput, Select } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import type { MessageSettings } from '@/api/types';
import { useMay } from '@/app/session';
import { Page, Problem, RowsSkeleton, When } from '@/components/basics';
import { say } from '@/components/undo';
import { useT } from '@/i18n/i18n';

const policies = ['resend', 'leave', 'fail'] as const;
const categories = ['otp', 'transactional', 'service', 'promotional'] as const;

/** Those that the browser knows, and the one that is set. */
function zones(set: string): string[] {
    return [...new Set(['UTC', set, ...Intl.supportedValuesOf('timeZone')])];
}

export default function Settings() {
    const t = useT();
    const query = useQuery({ queryKey: keys.settings, queryFn: () => unwrap(api.GET('/v1/settings/messages')) });
    return (
        <Page title={t('nav.settings')} purpose={t('settings.purpose')}>
            {query.isPending ? <RowsSkeleton count={4} /> : query.isError ? <Problem error={query.error} retry={() => { void query.refetch(); }} /> : <Form settings={query.data} />}
        </Page>
    );
}

function Form({ settings }: { settings: MessageSettings }) {
    const t = useT();
    const may = useMay();
    const client = useQueryClient();
    const [uncertain, setUncertain] = useState(settings.uncertain);
    const [wait, setWait] = useState<number | string>(settings.uncertain_wait_s ?? '');
    const [zone, setZone] = useState(settings.time_zone);
    const put = useMutation({
        mutationFn: () => unwrap(api.PUT('/v1/settings/messages', { body: { uncertain, uncertain_wait_s: typeof wait === 'number' ? wait : null, time_zone: zone } })),
        onSuccess: (saved) => { client.setQueryData(keys.settings, saved); say(t('settings.saved')); },
    });
    const isMine = may('settings:manage');
    const isChanged = categories.some((category) => uncertain[category] !== settings.uncertain[category]) || (wait === '' ? null : wait) !== settings.uncertain_wait_s || zone !== settings.time_zone;
    return (
        <form className="form" onSubmit={(event) => { event.preventDefault(); put.mutate(); }}>
            <section className="stack">
                <div><h2 style={{ margin: 0 }}>{t('settings.uncertain')}</h2><p className="quiet" style={{ margin: '4px 0 0' }}>{t('settings.uncertain.text')}</p></div>
                {put.isError && <Problem error={put.error} />}
                {categories.map((category) => <Select key={category} label={t(`category.${category}`)} allowDeselect={false} disabled={!isMine} value={uncertain[category]} data={policies.map((value) => ({ value, label: t(`settings.policy.${value}`) }))} onChange={(value) => { setUncertain({ ...uncertain, [category]: policies.find((policy) => policy === value) ?? uncertain[category] }); }} />)}
                <NumberInput label={t('settings.wait')} description={t('settings.wait.help')} min={1} max={86_400} allowDecimal={false} value={wait} onChange={setWait} disabled={!isMine} hideControls />
                <Select label={t('settings.zone')} description={t('settings.zone.help')} searchable allowDeselect={false} disabled={!isMine} value={zone} data={zones(zone)} onChange={(value) => { setZone(value ?? zone); }} />
            </section>
            <div className="line"><Button type="submit" disabled={!isMine || !isChanged} title={isMine ? undefined : t('may.not')} loading={put.isPending}>{t('save')}</Button>{settings.updated_at !== null && <span className="quiet" style={{ fontSize: 13 }}>{t('updated')} <When at={settings.updated_at} /></span>}</div>
        </form>
    );
}
