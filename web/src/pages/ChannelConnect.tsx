import { Button, PasswordInput, SegmentedControl, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import { faultsByField } from '@/api/problem';
import { Page, Problem } from '@/components/basics';
import { SenderConnect } from '@/features/sms/SenderForm';
import { useT } from '@/i18n/i18n';

const fields = ['display_phone_number', 'waba_id', 'phone_number_id', 'access_token', 'app_secret', 'verify_token'] as const;
type Field = (typeof fields)[number];
const secret: ReadonlySet<Field> = new Set(['access_token', 'app_secret', 'verify_token']);
const patterns: Partial<Record<Field, RegExp>> = { waba_id: /^\d{1,32}$/, phone_number_id: /^\d{1,32}$/, display_phone_number: /^\+?\d[\d ().-]{4,30}$/, verify_token: /^[!-~]{8,128}$/ };

const route = getRouteApi('/app/channels/connect');

/** A sender: a number at WhatsApp, or what an SMS comes from. */
export default function ChannelConnect() {
    const t = useT();
    const navigate = useNavigate();
    const { kind = 'whatsapp' } = route.useSearch();
    return (
        <Page title={t('channels.connect')} purpose={t(kind === 'sms' ? 'sms.sender.purpose' : 'connect.purpose')} back={{ to: '/channels', word: t('nav.channels') }}>
            <SegmentedControl aria-label={t('connect.kind')} value={kind} mb={24} data={[{ value: 'whatsapp', label: 'WhatsApp' }, { value: 'sms', label: 'SMS' }]} onChange={(value) => { void navigate({ to: '/channels/connect', search: value === 'sms' ? { kind: 'sms' } : {}, replace: true }); }} />
            {kind === 'sms' ? <SenderConnect /> : <WhatsAppConnect />}
        </Page>
    );
}

function WhatsAppConnect() {
    const t = useT();
    const navigate = useNavigate();
    const client = useQueryClient();
    const [name, setName] = useState('');
    const [values, setValues] = useState<Record<Field, string>>({ display_phone_number: '', waba_id: '', phone_number_id: '', access_token: '', app_secret: '', verify_token: '' });
    const [asked, setAsked] = useState(false);
    const connect = useMutation({
        mutationFn: () => unwrap(api.POST('/v1/channels', { body: { kind: 'whatsapp', name: name.trim(), whatsapp: values } })),
        onSuccess: async (channel) => { await client.invalidateQueries({ queryKey: keys.channels.all }); await navigate({ to: '/channels/$channelId', params: { channelId: channel.id } }); },
    });
    const faults = faultsByField(connect.error);
    const faultOf = (field: Field) => faults[`/whatsapp/${field}`] ?? (asked && (values[field] === '' || patterns[field]?.test(values[field]) === false) ? t(`connect.${field}.bad`) : undefined);
    const isWhole = name.trim() !== '' && fields.every((field) => values[field] !== '' && patterns[field]?.test(values[field]) !== false);
    return (
        <form className="form" noValidate autoComplete="off" onSubmit={(event) => { event.preventDefault(); setAsked(true); if (isWhole) connect.mutate(); }}>
            {connect.isError && <Problem error={connect.error} />}
            <TextInput label={t('keys.name')} description={t('connect.name.help')} value={name} onChange={(event) => { setName(event.currentTarget.value); }} error={asked && name.trim() === '' ? t('keys.name.missing') : faults['/name']} maxLength={120} />
            {fields.map((field) => {
                const props = { label: t(`connect.${field}`), description: t(`connect.${field}.help`), value: values[field], error: faultOf(field), onChange: (event: React.ChangeEvent<HTMLInputElement>) => { setValues({ ...values, [field]: event.currentTarget.value.trim() }); } };
                return secret.has(field) ? <PasswordInput key={field} {...props} autoComplete="new-password" visibilityToggleButtonProps={{ 'aria-label': t('connect.show') }} /> : <TextInput key={field} {...props} inputMode={field === 'display_phone_number' ? 'tel' : 'numeric'} />;
            })}
            <div className="line"><Button type="submit" loading={connect.isPending}>{t('channels.connect')}</Button><Button variant="subtle" color="gray" onClick={() => { void navigate({ to: '/channels' }); }}>{t('cancel')}</Button></div>
        </form>
    );
}
