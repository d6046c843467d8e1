/** A line of /etc/passwd, passwd(5). */
export interface UserEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/** A line of /etc/group, group(5). */
export interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/** The users of a /etc/passwd; a line that is none (a comment, a NIS mark) is left out. */
export function parseUsers(text: string): UserEntry[] {
  return text.split('\n').flatMap((line) => {
    const [name, , uid, gid, , home] = line.trim().split(':');
    if (!isName(name) || !isId(uid) || !isId(gid)) return [];
    return [{ name, uid: Number(uid), gid: Number(gid), home: home === undefined || home === '' ? '/' : home }];
  });
}

/** The groups of a /etc/group; a line that is none is left out. */
export function parseGroups(text: string): GroupEntry[] {
  return text.split('\n').flatMap((line) => {
    const [name, , gid, members] = line.trim().split(':');
    if (!isName(name) || !isId(gid)) return [];
    return [{ name, gid: Number(gid), members: (members ?? '').split(',').map((member) => member.trim()) }];
  });
}

export function findUser(name: string, users: readonly UserEntry[]): UserEntry | undefined {
  return users.find((entry) => entry.name === name);
}

export function findGroup(name: string, groups: readonly GroupEntry[]): GroupEntry | undefined {
  return groups.find((entry) => entry.name === name);
}

/** The groups that list `user` as a member. */
export function groupsOf(user: string, groups: readonly GroupEntry[]): number[] {
  return groups.filter((entry) => entry.members.includes(user)).map((entry) => entry.gid);
}

function isName(text: string | undefined): text is string {
  return text !== undefined && text !== '' && !text.startsWith('#') && !text.startsWith('+') && !text.startsWith('-');
}

function isId(text: string | undefined): text is string {
  return text !== undefined && /^\d{1,10}$/.test(text) && Number(text) < 0xffff_ffff;
}
