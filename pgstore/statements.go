package pgstore

import (
	"fmt"
	"strings"
)

// A commit is one statement. Its first part compares and sets the version; every other
// part happens only if the first one did. The parameters are those of commitArgs.
//
// If a claim turns out to be another integration's only after the statement has begun,
// the last part divides by zero, which undoes everything. The usual case is caught by
// the first part. If there is already an entry with this id, its unique key undoes
// everything.

const (
	// clock is the database's, in microseconds.
	clock = `cast(extract(epoch from clock_timestamp()) * 1000000 as bigint)`

	create = `with moved as (
  insert into keyrack.integration (id, version, record, touched, last)
  select $1::bytea, $2::bigint + 1, $3::bytea, ` + clock + `, $4::uuid {where}
  on conflict (id) do nothing
  returning id, touched
)`
	move = `with moved as (
  update keyrack.integration set version = $2::bigint + 1, record = $3::bytea, last = $4::uuid,
    touched = greatest(touched + 1, ` + clock + `)
  where id = $1::bytea and version = $2::bigint and ($10::uuid is null or last = $10::uuid) {and}
  returning id, touched
)`
	addEntry = `, added as (
  insert into keyrack.entry (id, arrived, integration, version, at, evidence, decision, status, took)
  select $4::uuid, touched, id, $2::bigint + 1, $5::bigint, $6::bytea, $7::bytea, $8::bigint, $9::bigint from moved
)`
	addBody = `, body as (
  insert into keyrack.body (entry, sealed) select $4::uuid, {p}::bytea from moved
)`
	unowned = `not exists (
    select 1 from keyrack.token t where t.digest = any({p}::bytea[]) and t.integration <> $1::bytea
  )`
	claim = `, claimed as (
  insert into keyrack.token as t (digest, integration, sealed)
  select c.digest, moved.id, c.sealed from moved, unnest({p}::bytea[], {q}::bytea[]) as c (digest, sealed)
  on conflict (digest) do update set sealed = coalesce(excluded.sealed, t.sealed)
  where t.integration = excluded.integration
  returning 1
)`
	disown = `, disowned as (
  delete from keyrack.token where digest = any({p}::bytea[]) and integration in (select id from moved)
)`
	whole        = ` select 1 from moved`
	wholeIfOwned = ` select 1 / (case when (select count(*) from claimed) = array_length({p}::bytea[], 1) then 1 else 0 end) from moved`
)

// shape says what a commit of one statement contains. It never both claims and disowns:
// CockroachDB does not accept two changes of one table in one statement.
type shape struct{ creates, hasBody, claims, disowns bool }

// commitStatements are the statements of all shapes.
var commitStatements = func() map[shape]string {
	all := map[shape]string{}
	for bits := range 16 {
		s := shape{bits&1 != 0, bits&2 != 0, bits&4 != 0, bits&8 != 0}
		if !s.claims || !s.disowns {
			all[s] = s.statement()
		}
	}
	return all
}()

func (s shape) statement() string {
	next := 10 // the number of the next parameter
	if !s.creates {
		next++
	}
	var body string
	if s.hasBody {
		body = strings.ReplaceAll(addBody, "{p}", fmt.Sprint("$", next))
		next++
	}
	p, q := fmt.Sprint("$", next), fmt.Sprint("$", next+1)
	number := strings.NewReplacer("{p}", p, "{q}", q)
	text, where, and := move, "", ""
	if s.creates {
		text = create
	}
	if s.claims {
		where, and = "where "+number.Replace(unowned), "and "+number.Replace(unowned)
	}
	text = strings.NewReplacer("{where}", where, "{and}", and).Replace(text) + addEntry + body
	switch {
	case s.claims:
		return text + number.Replace(claim) + number.Replace(wholeIfOwned)
	case s.disowns:
		return text + number.Replace(disown) + whole
	default:
		return text + whole
	}
}

// The same in steps, for commits that need several changes to one table.
const (
	lockBounds = `select last from keyrack.bounds where one = 1 for update`
	stepCreate = `insert into keyrack.integration (id, version, record, touched, last)
values ($1, $2::bigint + 1, $3, ` + clock + `, $4::uuid) on conflict (id) do nothing`
	stepMove = `update keyrack.integration set version = version + 1, record = $3, last = $4::uuid,
  touched = greatest(touched + 1, ` + clock + `)
where id = $1 and version = $2 and ($5::uuid is null or last = $5::uuid)`
	stepRebase = `update keyrack.integration set base = record, base_version = version where id = $1`

	stepForgetBodies  = `delete from keyrack.body where entry in (select id from keyrack.entry where integration = $1 and version > 0)`
	stepForgetEntries = `delete from keyrack.entry where integration = $1 and version > 0`
	stepForgetDigests = `delete from keyrack.token where integration = $1 and digest <> all($2::bytea[])`
	stepForgetTokens  = `update keyrack.token set sealed = null where integration = $1 and sealed is not null`

	stepDisown = `delete from keyrack.token where integration = $1 and digest = any($2::bytea[])`
	stepClaim  = `insert into keyrack.token as t (digest, integration, sealed)
select c.digest, $1::bytea, c.sealed from unnest($2::bytea[], $3::bytea[]) as c (digest, sealed)
on conflict (digest) do update set sealed = coalesce(excluded.sealed, t.sealed)
where t.integration = excluded.integration`
	stepEntry = `insert into keyrack.entry (id, arrived, integration, version, at, evidence, decision, status, took)
values ($1, coalesce((select touched from keyrack.integration where id = $2), ` + clock + `), $2, $3, $4, $5, $6, $7, $8)
on conflict (id) do nothing`
	stepBody = `insert into keyrack.body (entry, sealed) values ($1, $2)`

	nameless = `insert into keyrack.entry (id, arrived, integration, version, at, evidence, decision, status, took)
values ($1::uuid, ` + clock + `, ''::bytea, 0, $2::bigint, $3::bytea, $4::bytea, $5::bigint, $6::bigint)
on conflict (id) do nothing`
	namelessWithBody = `with added as (
  insert into keyrack.entry (id, arrived, integration, version, at, evidence, decision, status, took)
  values ($1::uuid, ` + clock + `, ''::bytea, 0, $2::bigint, $3::bytea, $4::bytea, $5::bigint, $6::bigint)
  on conflict (id) do nothing
  returning id
)
insert into keyrack.body (entry, sealed) select id, $7::bytea from added`

	entryColumns = `e.id, coalesce(e.position, 0), e.integration, e.version, e.at, e.evidence, e.decision, e.status, e.took`

	confirmed = `update keyrack.entry e set status = e.status where id = $1::uuid returning ` + entryColumns

	// refused says why a commit was refused, at one moment.
	refused = `select coalesce(i.version, 0), i.last, t.digest, t.integration, ` + entryColumns + `
from (select 1 as x) x
left join keyrack.integration i on i.id = $1::bytea
left join (
  select digest, integration from keyrack.token
  where digest = any($2::bytea[]) and integration <> $1::bytea
    and not (integration = $4::bytea and digest = any($5::bytea[])) limit 1
) t on true
left join keyrack.entry e on e.id = $3::uuid`
)
