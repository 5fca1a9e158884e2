-- Roles of Nightschool's processes on PostgreSQL; deploy/README.md says how to use them. Safe to run again, and
-- to be run again after an upgrade that adds tables. Run it as a superuser, in Nightschool's database, after the
-- tables have been made. Then give each role a password: ALTER ROLE nightschool_api PASSWORD '...'.
--
-- The engine needs no role: it reads adapter files, and no database.

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['nightschool_api', 'nightschool_approver', 'nightschool_worker'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT', name);
        END IF;
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), name);
        EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', name);
        EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA public FROM %I', name);
    END LOOP;
END
$$;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;

-- Schemas that the processes fill themselves: LangGraph's and DBOS's tables of the api, and the training queue.
CREATE SCHEMA IF NOT EXISTS nightschool_api AUTHORIZATION nightschool_api;
CREATE SCHEMA IF NOT EXISTS dbos;
ALTER SCHEMA dbos OWNER TO nightschool_api;
CREATE SCHEMA IF NOT EXISTS training;
ALTER SCHEMA training OWNER TO nightschool_worker;
DO $$
BEGIN
    EXECUTE format('ALTER ROLE nightschool_api IN DATABASE %I SET search_path = nightschool_api, public',
        current_database());
END
$$;

-- The api: everything but approving and making keys or grants. It appends to the audit log.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO nightschool_api;
REVOKE INSERT, UPDATE, DELETE ON approvals, verifications, api_keys, grants, alembic_version
    FROM nightschool_api;
REVOKE UPDATE, DELETE ON audit_log FROM nightschool_api;

-- It hands jobs over to the trainer, reads their results, and removes a failed one before it is tried again.
GRANT USAGE ON SCHEMA training TO nightschool_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA training TO nightschool_api;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA training TO nightschool_api;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA training TO nightschool_api;
ALTER DEFAULT PRIVILEGES FOR ROLE nightschool_worker IN SCHEMA training
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO nightschool_api;
ALTER DEFAULT PRIVILEGES FOR ROLE nightschool_worker IN SCHEMA training
    GRANT USAGE ON SEQUENCES TO nightschool_api;

-- The approver: the connection that approvals are written over (NIGHTSCHOOL_APPROVER_DATABASE_URL), and nothing
-- else is. Who can write through the api's own connection approves nothing.
GRANT SELECT, INSERT, UPDATE ON approvals TO nightschool_approver;
GRANT SELECT, INSERT ON verifications TO nightschool_approver;
GRANT SELECT, INSERT ON audit_log TO nightschool_approver;

-- The worker: its queue, and the approvals. It cannot read chats, documents' gaps, users or keys.
GRANT SELECT ON approvals, verifications TO nightschool_worker;
GRANT SELECT, INSERT ON audit_log TO nightschool_worker;

-- All that open the database look which version of the tables it has.
GRANT SELECT ON alembic_version TO nightschool_approver, nightschool_worker;
