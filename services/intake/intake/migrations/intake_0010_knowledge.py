"""The knowledge base: articles, their versions, and whether they were of use."""

from shared.db.script import execute_script

revision = "intake_0010"
down_revision = "intake_0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_script(
        """
        CREATE TABLE article (
            id uuid PRIMARY KEY,
            kind text NOT NULL CHECK (kind IN ('faq', 'repair_case', 'manual', 'troubleshooting')),
            language text NOT NULL CHECK (language IN ('zh', 'en')),
            product_line text,
            audience text NOT NULL CHECK (audience IN ('internal', 'public')),
            owner text NOT NULL,
            review_on date NOT NULL,
            state text NOT NULL CHECK (state IN ('draft', 'published', 'retired')),
            latest integer NOT NULL,
            published integer,
            title_grams text[] NOT NULL,
            grams text[] NOT NULL,
            CHECK (state <> 'published' OR published IS NOT NULL)
        );
        CREATE INDEX article_grams ON article USING gin (grams) WHERE state = 'published';
        CREATE INDEX article_review ON article (review_on) WHERE state = 'published';
        CREATE TABLE article_version (
            article_id uuid NOT NULL REFERENCES article,
            version integer NOT NULL,
            title text NOT NULL,
            body text NOT NULL,
            note text NOT NULL,
            by text NOT NULL,
            at timestamptz NOT NULL,
            PRIMARY KEY (article_id, version)
        );
        CREATE TABLE article_usage (
            id uuid PRIMARY KEY,
            article_id uuid NOT NULL REFERENCES article,
            request_id uuid REFERENCES request,
            what text NOT NULL CHECK (what IN ('suggested', 'used', 'helped', 'did_not_help')),
            at timestamptz NOT NULL
        );
        CREATE INDEX article_usage_article ON article_usage (article_id, what);
        CREATE UNIQUE INDEX article_usage_once ON article_usage (request_id, article_id, what)
            WHERE request_id IS NOT NULL;
        REVOKE UPDATE, DELETE ON article_version, article_usage FROM {role};
        """
    )
