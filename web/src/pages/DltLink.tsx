import { Button, Select, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { faultsByField } from '@/api/problem';
import { useMay } from '@/app/session';
import { Problem } from '@/components/basics';
import { Sheet } from '@/components/Sheet';
import { say } from '@/components/undo';
import { linkKinds } from '@/features/dlt/filter';
import { useStale } from '@/features/dlt/queries';
import { useT } from '@/i18n/i18n';

const route = getRouteApi('/app/dlt/links/new');

/** To the end of that day in India. */
function endOf(day: string): string {
    return new Date(Date.parse(`${day}T00:00:00+05:30`) + 86_400_000).toISOString();
}

/** A link or a number for the white-list. */
export default function DltLink() {
    const t = useT();
    const navigate = useNavigate();
    const isMine = useMay()('dlt:manage');
    const search = route.useSearch();
    const stale = useStale();
    const [kind, setKind] = useState<(typeof linkKinds)[number]>('static');
    const [value, setValue] = useState('');
    const [day, setDay] = useState('');
    const [asked, setAsked] = useState(false);
    const close = () => { void navigate({ to: '/dlt/links', search, resetScroll: false }); };
    const create = useMutation({
        mutationFn: () => unwrap(api.POST('/v1/dlt/links', { body: { kind, value: value.trim(), ...(day === '' ? {} : { expires_at: endOf(day) }) } })),
        onSuccess: async () => { await stale(); say(t('dlt.saved')); close(); },
    });
    const faults = faultsByField(create.error);
    return (
        <Sheet title={t('dlt.link.add')} label={t('dlt.link')} onClose={close}>
            <form className="stack" style={{ gap: 20 }} noValidate onSubmit={(event) => { event.preventDefault(); setAsked(true); if (value.trim() !== '') create.mutate(); }}>
                {create.isError && <Problem error={create.error} />}
                <Select label={t('dlt.link.kind')} description={t(`dlt.link.kind.${kind}.help`)} allowDeselect={false} value={kind} data={linkKinds.map((each) => ({ value: each, label: t(`dlt.link.kind.${each}`) }))} onChange={(chosen) => { setKind(linkKinds.find((each) => each === chosen) ?? kind); }} />
                <TextInput label={t('dlt.link')} description={t('dlt.link.help')} autoComplete="off" maxLength={500} value={value} error={asked && value.trim() === '' ? t('dlt.link.fault') : faults['/value']} onChange={(event) => { setValue(event.currentTarget.value); }} />
                <TextInput type="date" label={t('dlt.link.until')} description={t('dlt.link.until.help')} value={day} error={faults['/expires_at']} onChange={(event) => { setDay(event.currentTarget.value); }} />
                <div className="line"><Button type="submit" disabled={!isMine} title={isMine ? undefined : t('may.not')} loading={create.isPending}>{t('dlt.link.add')}</Button></div>
            </form>
        </Sheet>
    );
}
