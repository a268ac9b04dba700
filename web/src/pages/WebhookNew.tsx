import { Button, Checkbox, Radio, Select, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import { faultsByField } from '@/api/problem';
import { Page, Problem } from '@/components/basics';
import { SecretOnce } from '@/components/secrets';
import { useT } from '@/i18n/i18n';

const groups = ['message.*', 'channel.*', 'connector.*', 'template.*', 'media.*', 'operation.*', 'contact.*', 'quota.*', 'webhook_endpoint.*'] as const;
type Events = '*' | (typeof groups)[number];

export default function WebhookNew() {
    const t = useT();
    const navigate = useNavigate();
    const client = useQueryClient();
    const [url, setUrl] = useState('');
    const [description, setDescription] = useState('');
    const [isAll, setAll] = useState(true);
    const [events, setEvents] = useState<string[]>(['message.*']);
    const [signature, setSignature] = useState<'hmac' | 'ed25519' | 'both'>('hmac');
    const [asked, setAsked] = useState(false);
    const create = useMutation({
        mutationFn: () => unwrap(api.POST('/v1/webhook-endpoints', { body: { url: url.trim(), description: description.trim(), signature, events: isAll ? ['*'] : events as Events[] } })),
        onSuccess: () => client.invalidateQueries({ queryKey: keys.endpoints.all }),
    });
    const faults = faultsByField(create.error);
    const isUrl = URL.canParse(url.trim());
    return (
        <Page title={t('webhooks.add')} purpose={t('webhooks.add.purpose')} back={{ to: '/webhooks', word: t('nav.webhooks') }}>
            <form className="form" noValidate onSubmit={(event) => { event.preventDefault(); setAsked(true); if (isUrl && (isAll || events.length !== 0)) create.mutate(); }}>
                {create.isError && <Problem error={create.error} />}
                <TextInput type="url" label={t('webhooks.url')} description={t('webhooks.url.help')} placeholder="https://shop.example/hooks/harkara" value={url} onChange={(event) => { setUrl(event.currentTarget.value); }} error={asked && !isUrl ? t('webhooks.url.bad') : faults['/url']} />
                <TextInput label={t('webhooks.description')} value={description} onChange={(event) => { setDescription(event.currentTarget.value); }} error={faults['/description']} maxLength={120} />
                <Radio.Group label={t('webhooks.events')} value={isAll ? 'all' : 'some'} onChange={(value) => { setAll(value === 'all'); }}>
                    <div className="stack" style={{ gap: 8, marginTop: 8 }}><Radio value="all" label={t('webhooks.events.all')} /><Radio value="some" label={t('webhooks.events.some')} /></div>
                </Radio.Group>
                {!isAll && <Checkbox.Group label={t('webhooks.events.some')} value={events} onChange={setEvents} error={asked && events.length === 0 ? t('keys.scopes.missing') : faults['/events']}><div className="choices" style={{ marginTop: 8 }}>{groups.map((group) => <Checkbox key={group} value={group} label={t(`events.${group}`)} description={<span className="mono" style={{ fontSize: 11.5 }}>{group}</span>} />)}</div></Checkbox.Group>}
                <Select label={t('webhooks.signature')} description={t('webhooks.signature.help')} allowDeselect={false} value={signature} onChange={(value) => { setSignature(value === 'ed25519' || value === 'both' ? value : 'hmac'); }} data={(['hmac', 'ed25519', 'both'] as const).map((value) => ({ value, label: t(`webhooks.signature.${value}`) }))} />
                <div className="line"><Button type="submit" loading={create.isPending}>{t('webhooks.add')}</Button><Button variant="subtle" color="gray" onClick={() => { void navigate({ to: '/webhooks' }); }}>{t('cancel')}</Button></div>
            </form>
            <SecretOnce title={t('webhooks.made')} text={t('webhooks.made.text')} secret={create.data === undefined ? null : create.data.secret ?? create.data.public_key ?? ''} onDone={() => { const id = create.data?.id; create.reset(); void (id === undefined ? navigate({ to: '/webhooks' }) : navigate({ to: '/webhooks/$endpointId', params: { endpointId: id } })); }} />
        </Page>
    );
}
