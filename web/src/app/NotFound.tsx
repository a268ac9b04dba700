import { IconMap2 } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { EmptyState } from '@/components/basics';
import { useT } from '@/i18n/i18n';

export function NotFound() {
    const t = useT();
    return <main className="page"><h1 style={{ textAlign: 'center', marginTop: '10vh' }}>404</h1><EmptyState icon={IconMap2} title={t('notfound')} text={t('notfound.text')}><Link to="/">{t('notfound.home')}</Link></EmptyState></main>;
}
