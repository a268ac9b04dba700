import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import { Page } from '@/components/basics';
import { ConnectorForm } from '@/features/sms/ConnectorForm';
import { createBody, type Draft } from '@/features/sms/form';
import { useT } from '@/i18n/i18n';

export default function OperatorNew() {
    const t = useT();
    const navigate = useNavigate();
    const client = useQueryClient();
    const connect = useMutation({
        mutationFn: (draft: Draft) => unwrap(api.POST('/v1/sms/connectors', { body: createBody(draft) })),
        onSuccess: async (made) => { client.setQueryData(keys.sms.connector(made.id), made); await navigate({ to: '/channels/operators/$connectorId', params: { connectorId: made.id } }); await client.invalidateQueries({ queryKey: keys.sms.all }); },
    });
    return (
        <Page title={t('sms.connect')} purpose={t('sms.connect.purpose')} back={{ to: '/channels/operators', word: t('sms.tab.operators') }}>
            <ConnectorForm of={null} error={connect.error} isBusy={connect.isPending} act={t('sms.connect')} onSave={(draft) => { connect.mutate(draft); }} onCancel={() => { void navigate({ to: '/channels/operators' }); }} />
        </Page>
    );
}
