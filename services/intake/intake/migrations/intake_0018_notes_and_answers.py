"""Internal notes, answer templates with their first ones, and what the desk solves by itself."""

from shared.db.script import execute_script

revision = "intake_0018"
down_revision = "intake_0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_script(
        """
        CREATE TABLE note (
            id uuid PRIMARY KEY,
            request_id uuid NOT NULL REFERENCES request,
            author text NOT NULL,
            author_name text NOT NULL,
            text text NOT NULL,
            at timestamptz NOT NULL
        );
        CREATE INDEX note_request ON note (request_id, id);
        REVOKE DELETE ON note FROM {role};

        CREATE TABLE answer_template (
            id uuid PRIMARY KEY,
            language text NOT NULL CHECK (language IN ('zh', 'en')),
            title text NOT NULL,
            body text NOT NULL,
            owner text NOT NULL,
            version integer NOT NULL,
            by text NOT NULL,
            at timestamptz NOT NULL,
            UNIQUE (language, title)
        );
        INSERT INTO answer_template VALUES
            ('01930000-0000-7000-8000-00000000a001', 'zh', '已收到，正在处理',
             E'{name}您好！\\n\\n您的服务请求（编号 {number}）已收到，我们{promised}答复您。\\n'
             '进度随时可查：{link}',
             'aftercare', 1, 'aftercare', now()),
            ('01930000-0000-7000-8000-00000000a002', 'zh', '请补充信息',
             E'{name}您好！\\n\\n为了尽快处理您的问题“{title}”，请告诉我们：\\n'
             '1. 产品型号和序列号（铭牌照片即可）\\n2. 故障从什么时候开始，出现了什么提示\\n\\n'
             '直接回复本消息即可。',
             'aftercare', 1, 'aftercare', now()),
            ('01930000-0000-7000-8000-00000000a003', 'zh', '问题已解答',
             E'{name}您好！\\n\\n您的问题答复如下：\\n\\n\\n如果还有疑问，直接回复本消息，或打开：{link}',
             'aftercare', 1, 'aftercare', now()),
            ('01930000-0000-7000-8000-00000000a011', 'en', 'We have it and look into it',
             E'Hello {name},\\n\\nwe have read your request (number {number}) and answer {promised}.\\n'
             'See how far it is at any time: {link}',
             'aftercare', 1, 'aftercare', now()),
            ('01930000-0000-7000-8000-00000000a012', 'en', 'Please tell us more',
             E'Hello {name},\\n\\nto help with “{title}” quickly we need to know:\\n'
             '1. the model and the serial number (a photo of the label is enough)\\n'
             '2. since when, and what the product says or shows\\n\\nJust answer this message.',
             'aftercare', 1, 'aftercare', now()),
            ('01930000-0000-7000-8000-00000000a013', 'en', 'Your question is answered',
             E'Hello {name},\\n\\nthis is the answer to your question:\\n\\n\\n'
             'If anything is left open, answer this message or write here: {link}',
             'aftercare', 1, 'aftercare', now());

        ALTER TABLE request ADD COLUMN solved_at timestamptz;
        CREATE INDEX request_simple ON request (id) WHERE kind IN ('enquiry', 'order_query');
        """
    )
