/** The rules of the gate for which there are words; one of a later release is told by its name. */
const names = ['workspace-standing', 'sender-ready', 'template-approved', 'dlt', 'suppression', 'consent', 'dnd', 'whatsapp-window', 'recipient-cap', 'quota', 'credit', 'quiet-hours'] as const;
export type RuleName = typeof names[number];

export function isRule(name: string): name is RuleName {
    return (names as readonly string[]).includes(name);
}

/** "template-approved" and "sent_in_day", for people, when there are no words for them. */
export function plain(name: string): string {
    const text = name.replace(/[-_]+/g, ' ');
    return text.charAt(0).toUpperCase() + text.slice(1);
}
