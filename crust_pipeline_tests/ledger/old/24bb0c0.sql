BEGIN TRANSACTION;
CREATE TABLE claims (
	account VARCHAR NOT NULL, 
	operation VARCHAR NOT NULL, 
	profile_key VARCHAR NOT NULL, 
	field_set VARCHAR NOT NULL, 
	submission_id VARCHAR(32) NOT NULL, 
	answer VARCHAR(16), 
	answered_at DATETIME, 
	PRIMARY KEY (account, operation, profile_key, field_set)
);
INSERT INTO "claims" VALUES('vendor.example','enrich','linkedin.com/in/ada-example','basic_profile,experience,skills','00000000000000000000000000000001','matched','2026-11-20 12:05:00.000000');
INSERT INTO "claims" VALUES('vendor.example','enrich','linkedin.com/in/bob-example','basic_profile,experience,skills','00000000000000000000000000000001','dropped','2026-11-20 12:05:00.000000');
INSERT INTO "claims" VALUES('vendor.example','enrich','linkedin.com/in/cleo-example','basic_profile,experience,skills','00000000000000000000000000000002','matched','2026-11-20 12:13:00.000000');
INSERT INTO "claims" VALUES('vendor.example','enrich','linkedin.com/in/dan-example','basic_profile,experience,skills','00000000000000000000000000000003',NULL,NULL);
INSERT INTO "claims" VALUES('vendor.example','enrich','linkedin.com/in/eve-example','basic_profile,experience,skills','00000000000000000000000000000004',NULL,NULL);
INSERT INTO "claims" VALUES('vendor.example','enrich','linkedin.com/in/finn-example','basic_profile,experience,skills','00000000000000000000000000000005',NULL,NULL);
INSERT INTO "claims" VALUES('vendor.example','enrich','linkedin.com/in/ivy-example','basic_profile,experience,skills','0000000000000000000000000000000b',NULL,NULL);
INSERT INTO "claims" VALUES('vendor.example','identify','ada@example.com','','00000000000000000000000000000007','not_found','2026-11-20 12:34:00.000000');
INSERT INTO "claims" VALUES('vendor.example','contact','linkedin.com/in/ada-example','business_email','00000000000000000000000000000008','matched','2026-11-20 12:39:00.000000');
CREATE TABLE days (
	partition_date DATE NOT NULL, 
	operation VARCHAR NOT NULL, 
	planned_at DATETIME NOT NULL, 
	input_rows INTEGER NOT NULL, 
	version INTEGER NOT NULL, 
	flattened_version INTEGER NOT NULL, 
	flattened_at DATETIME, 
	loaded_version INTEGER NOT NULL, 
	load_requests INTEGER NOT NULL, 
	load_requested_at DATETIME, 
	PRIMARY KEY (partition_date, operation)
);
INSERT INTO "days" VALUES('2026-11-02','enrich','2026-11-20 12:07:00.000000',3,4,0,NULL,0,0,NULL);
INSERT INTO "days" VALUES('2026-11-03','enrich','2026-11-20 12:25:00.000000',5,7,0,NULL,0,0,NULL);
INSERT INTO "days" VALUES('2026-11-02','identify','2026-11-20 12:30:00.000000',1,2,0,NULL,0,0,NULL);
INSERT INTO "days" VALUES('2026-11-02','contact','2026-11-20 12:35:00.000000',1,2,0,NULL,0,0,NULL);
CREATE TABLE deliveries (
	id INTEGER NOT NULL, 
	submission_id VARCHAR(32) NOT NULL, 
	received_at DATETIME NOT NULL, 
	body BLOB NOT NULL, 
	body_sha256 VARCHAR(64) NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT a_delivery_is_kept_once UNIQUE (submission_id, body_sha256)
);
CREATE TABLE denied_fields (
	account VARCHAR NOT NULL, 
	operation VARCHAR NOT NULL, 
	field VARCHAR NOT NULL, 
	seen_at DATETIME NOT NULL, 
	PRIMARY KEY (account, operation, field)
);
INSERT INTO "denied_fields" VALUES('vendor.example','enrich','skills','2026-11-20 12:09:00.000000');
CREATE TABLE foreign_jobs (
	account VARCHAR NOT NULL, 
	batch_id VARCHAR NOT NULL, 
	submission_id VARCHAR(32) NOT NULL, 
	seen_at DATETIME NOT NULL, 
	PRIMARY KEY (account, batch_id, submission_id)
);
INSERT INTO "foreign_jobs" VALUES('vendor.example','job-of-others','00000000000000000000000000000004','2026-11-20 12:20:00.000000');
CREATE TABLE hooks (
	token_sha256 VARCHAR(64) NOT NULL, 
	submission_id VARCHAR(32) NOT NULL, 
	issued_at DATETIME NOT NULL, 
	PRIMARY KEY (token_sha256)
);
CREATE TABLE identifiers (
	submission_id VARCHAR(32) NOT NULL, 
	profile_key VARCHAR NOT NULL, 
	identifier VARCHAR NOT NULL, 
	partition_date DATE NOT NULL, 
	answer VARCHAR(16), 
	person_id BIGINT, 
	source_line INTEGER, 
	credits BIGINT, 
	resolved_key VARCHAR, 
	unrequested VARCHAR, 
	PRIMARY KEY (submission_id, profile_key)
);
INSERT INTO "identifiers" VALUES('00000000000000000000000000000001','linkedin.com/in/ada-example','https://www.linkedin.com/in/ada-example','2026-11-02','matched',1000,1,20000,NULL,NULL);
INSERT INTO "identifiers" VALUES('00000000000000000000000000000001','linkedin.com/in/bob-example','https://www.linkedin.com/in/bob-example','2026-11-02','dropped',1001,2,0,NULL,NULL);
INSERT INTO "identifiers" VALUES('00000000000000000000000000000002','linkedin.com/in/cleo-example','https://www.linkedin.com/in/cleo-example','2026-11-02','matched',1000,1,20000,NULL,NULL);
INSERT INTO "identifiers" VALUES('00000000000000000000000000000003','linkedin.com/in/dan-example','https://www.linkedin.com/in/dan-example','2026-11-03',NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "identifiers" VALUES('00000000000000000000000000000004','linkedin.com/in/eve-example','https://www.linkedin.com/in/eve-example','2026-11-03',NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "identifiers" VALUES('00000000000000000000000000000005','linkedin.com/in/finn-example','https://www.linkedin.com/in/finn-example','2026-11-03',NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "identifiers" VALUES('00000000000000000000000000000006','linkedin.com/in/gil-example','https://www.linkedin.com/in/gil-example','2026-11-03',NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "identifiers" VALUES('0000000000000000000000000000000b','linkedin.com/in/ivy-example','https://www.linkedin.com/in/ivy-example','2026-11-03',NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "identifiers" VALUES('00000000000000000000000000000007','ada@example.com','https://www.ada@example.com','2026-11-02','not_found',1000,1,0,NULL,NULL);
INSERT INTO "identifiers" VALUES('00000000000000000000000000000008','linkedin.com/in/ada-example','https://www.linkedin.com/in/ada-example','2026-11-02','matched',1000,1,20000,NULL,NULL);
CREATE TABLE ledger_info (
	version INTEGER NOT NULL
);
INSERT INTO "ledger_info" VALUES(1);
CREATE TABLE pauses (
	account VARCHAR NOT NULL, 
	takes_slot BOOLEAN NOT NULL, 
	until DATETIME NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	tries INTEGER NOT NULL, 
	detail VARCHAR NOT NULL, 
	PRIMARY KEY (account, takes_slot)
);
INSERT INTO "pauses" VALUES('vendor.example',1,'2026-11-20 14:00:00.000000','credits',1,'no credits');
CREATE TABLE rows (
	partition_date DATE NOT NULL, 
	operation VARCHAR NOT NULL, 
	row_id VARCHAR NOT NULL, 
	profile_key VARCHAR, 
	verdict VARCHAR(16) NOT NULL, 
	submission_id VARCHAR(32), 
	detail VARCHAR, 
	PRIMARY KEY (partition_date, operation, row_id)
);
INSERT INTO "rows" VALUES('2026-11-02','enrich','m1','linkedin.com/in/ada-example','ask','00000000000000000000000000000001',NULL);
INSERT INTO "rows" VALUES('2026-11-02','enrich','m2','linkedin.com/in/bob-example','ask','00000000000000000000000000000001',NULL);
INSERT INTO "rows" VALUES('2026-11-02','enrich','m3','linkedin.com/in/cleo-example','ask','00000000000000000000000000000002',NULL);
INSERT INTO "rows" VALUES('2026-11-03','enrich','t1','linkedin.com/in/dan-example','ask','00000000000000000000000000000003',NULL);
INSERT INTO "rows" VALUES('2026-11-03','enrich','t2','linkedin.com/in/eve-example','ask','00000000000000000000000000000004',NULL);
INSERT INTO "rows" VALUES('2026-11-03','enrich','t3','linkedin.com/in/finn-example','ask','00000000000000000000000000000005',NULL);
INSERT INTO "rows" VALUES('2026-11-03','enrich','t4','linkedin.com/in/gil-example','ask','00000000000000000000000000000006',NULL);
INSERT INTO "rows" VALUES('2026-11-03','enrich','t6','linkedin.com/in/ivy-example','ask','0000000000000000000000000000000b',NULL);
INSERT INTO "rows" VALUES('2026-11-02','identify','m4','ada@example.com','ask','00000000000000000000000000000007',NULL);
INSERT INTO "rows" VALUES('2026-11-02','contact','m1','linkedin.com/in/ada-example','ask','00000000000000000000000000000008',NULL);
CREATE TABLE submission_days (
	submission_id VARCHAR(32) NOT NULL, 
	partition_date DATE NOT NULL, 
	operation VARCHAR NOT NULL, 
	PRIMARY KEY (submission_id, partition_date, operation)
);
INSERT INTO "submission_days" VALUES('00000000000000000000000000000001','2026-11-02','enrich');
INSERT INTO "submission_days" VALUES('00000000000000000000000000000002','2026-11-02','enrich');
INSERT INTO "submission_days" VALUES('00000000000000000000000000000003','2026-11-03','enrich');
INSERT INTO "submission_days" VALUES('00000000000000000000000000000004','2026-11-03','enrich');
INSERT INTO "submission_days" VALUES('00000000000000000000000000000005','2026-11-03','enrich');
INSERT INTO "submission_days" VALUES('00000000000000000000000000000006','2026-11-03','enrich');
INSERT INTO "submission_days" VALUES('0000000000000000000000000000000b','2026-11-03','enrich');
INSERT INTO "submission_days" VALUES('00000000000000000000000000000007','2026-11-02','identify');
INSERT INTO "submission_days" VALUES('00000000000000000000000000000008','2026-11-02','contact');
CREATE TABLE submissions (
	submission_id VARCHAR(32) NOT NULL, 
	account VARCHAR NOT NULL, 
	vendor VARCHAR NOT NULL, 
	operation VARCHAR NOT NULL, 
	product VARCHAR NOT NULL, 
	takes_slot BOOLEAN NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	identifier_type VARCHAR(16) NOT NULL, 
	field_set VARCHAR NOT NULL, 
	covers VARCHAR NOT NULL, 
	identifier_count INTEGER NOT NULL, 
	priority INTEGER NOT NULL, 
	first_partition DATE NOT NULL, 
	attempt INTEGER NOT NULL, 
	parent_submission_id VARCHAR(32), 
	root_submission_id VARCHAR(32) NOT NULL, 
	credits_reserved BIGINT NOT NULL, 
	credits_computed BIGINT, 
	credits_reported BIGINT, 
	batch_id VARCHAR, 
	action VARCHAR, 
	adopted BOOLEAN NOT NULL, 
	owner VARCHAR, 
	run_id VARCHAR, 
	created_at DATETIME NOT NULL, 
	intent_at DATETIME, 
	submitted_at DATETIME, 
	vendor_created_at DATETIME, 
	vendor_completed_at DATETIME, 
	completed_at DATETIME, 
	landed_at DATETIME, 
	loaded_at DATETIME, 
	not_before DATETIME NOT NULL, 
	tries INTEGER NOT NULL, 
	dead_links INTEGER NOT NULL, 
	result_count INTEGER, 
	entities_requested INTEGER, 
	entities_fulfilled INTEGER, 
	source_file VARCHAR, 
	file_sha256 VARCHAR(64), 
	file_bytes BIGINT, 
	file_lines INTEGER, 
	error VARCHAR, 
	PRIMARY KEY (submission_id), 
	CONSTRAINT one_submission_per_vendor_job UNIQUE (account, batch_id)
);
INSERT INTO "submissions" VALUES('00000000000000000000000000000001','vendor.example','crustdata','enrich','enrich',1,'loaded','profile_url','basic_profile,experience,skills','basic_profile,experience,skills',2,100,'2026-11-02',1,NULL,'00000000000000000000000000000001',40000,20000,NULL,'job-1',NULL,0,'a-host:1','a-run','2026-11-20 12:01:00.000000','2026-11-20 12:02:00.000000','2026-11-20 12:03:00.000000',NULL,NULL,'2026-11-20 12:04:00.000000','2026-11-20 12:05:00.000000','2026-11-20 12:06:00.000000','2026-11-20 12:06:00.000000',0,0,NULL,NULL,NULL,'00000000000000000000000000000001.jsonl.gz','0000000000000000000000000000000000000000000000000000000000000000',1000,2,NULL);
INSERT INTO "submissions" VALUES('00000000000000000000000000000002','vendor.example','crustdata','enrich','enrich',1,'landed','profile_url','basic_profile,experience','basic_profile,experience,skills',1,100,'2026-11-02',1,NULL,'00000000000000000000000000000002',20000,20000,NULL,'job-2',NULL,0,'a-host:1','a-run','2026-11-20 12:07:00.000000','2026-11-20 12:10:00.000000','2026-11-20 12:11:00.000000',NULL,NULL,'2026-11-20 12:12:00.000000','2026-11-20 12:13:00.000000',NULL,'2026-11-20 12:13:00.000000',0,0,NULL,NULL,NULL,'00000000000000000000000000000002.jsonl.gz','0000000000000000000000000000000000000000000000000000000000000000',1000,1,NULL);
INSERT INTO "submissions" VALUES('00000000000000000000000000000003','vendor.example','crustdata','enrich','enrich',1,'pending','profile_url','basic_profile,experience,skills','basic_profile,experience,skills',1,100,'2026-11-03',1,NULL,'00000000000000000000000000000003',20000,NULL,NULL,'job-3',NULL,0,'a-host:1','a-run','2026-11-20 12:14:00.000000','2026-11-20 12:15:00.000000','2026-11-20 12:16:00.000000',NULL,NULL,NULL,NULL,NULL,'2026-11-20 12:16:00.000000',0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "submissions" VALUES('00000000000000000000000000000004','vendor.example','crustdata','enrich','enrich',1,'unknown','profile_url','basic_profile,experience,skills','basic_profile,experience,skills',1,100,'2026-11-03',1,NULL,'00000000000000000000000000000004',20000,NULL,NULL,NULL,NULL,0,'a-host:1','a-run','2026-11-20 12:17:00.000000','2026-11-20 12:18:00.000000',NULL,NULL,NULL,NULL,NULL,NULL,'2026-11-20 12:20:00.000000',0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'not its people');
INSERT INTO "submissions" VALUES('00000000000000000000000000000005','vendor.example','crustdata','enrich','enrich',1,'planned','profile_url','basic_profile,experience,skills','basic_profile,experience,skills',1,100,'2026-11-03',1,NULL,'00000000000000000000000000000005',20000,NULL,NULL,NULL,NULL,0,NULL,'a-run','2026-11-20 12:21:00.000000',NULL,NULL,NULL,NULL,NULL,NULL,NULL,'2026-11-20 12:21:00.000000',0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "submissions" VALUES('00000000000000000000000000000006','vendor.example','crustdata','enrich','enrich',1,'rejected','profile_url','basic_profile,experience,skills','basic_profile,experience,skills',1,100,'2026-11-03',1,NULL,'00000000000000000000000000000006',20000,NULL,NULL,NULL,NULL,0,'a-host:1','a-run','2026-11-20 12:22:00.000000','2026-11-20 12:23:00.000000',NULL,NULL,NULL,NULL,NULL,NULL,'2026-11-20 12:24:00.000000',0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'refused');
INSERT INTO "submissions" VALUES('0000000000000000000000000000000b','vendor.example','crustdata','enrich','enrich',1,'completed','profile_url','basic_profile,experience,skills','basic_profile,experience,skills',1,100,'2026-11-03',1,NULL,'0000000000000000000000000000000b',20000,NULL,NULL,'job-11',NULL,0,NULL,'a-run','2026-11-20 12:25:00.000000','2026-11-20 12:26:00.000000','2026-11-20 12:27:00.000000',NULL,NULL,'2026-11-20 12:28:00.000000',NULL,NULL,'2026-11-20 12:29:00.000000',1,0,NULL,NULL,NULL,NULL,'1111111111111111111111111111111111111111111111111111111111111111',NULL,NULL,'not the file announced');
INSERT INTO "submissions" VALUES('00000000000000000000000000000007','vendor.example','crustdata','identify','identify',1,'landed','email','','',1,100,'2026-11-02',1,NULL,'00000000000000000000000000000007',20000,0,NULL,'job-7',NULL,0,'a-host:1','a-run','2026-11-20 12:30:00.000000','2026-11-20 12:31:00.000000','2026-11-20 12:32:00.000000',NULL,NULL,'2026-11-20 12:33:00.000000','2026-11-20 12:34:00.000000',NULL,'2026-11-20 12:34:00.000000',0,0,NULL,NULL,NULL,'00000000000000000000000000000007.jsonl.gz','0000000000000000000000000000000000000000000000000000000000000000',1000,1,NULL);
INSERT INTO "submissions" VALUES('00000000000000000000000000000008','vendor.example','crustdata','contact','contact',1,'landed','profile_url','business_email','business_email',1,100,'2026-11-02',1,NULL,'00000000000000000000000000000008',20000,20000,NULL,'job-8',NULL,0,'a-host:1','a-run','2026-11-20 12:35:00.000000','2026-11-20 12:36:00.000000','2026-11-20 12:37:00.000000',NULL,NULL,'2026-11-20 12:38:00.000000','2026-11-20 12:39:00.000000',NULL,'2026-11-20 12:39:00.000000',0,0,NULL,NULL,NULL,'00000000000000000000000000000008.jsonl.gz','0000000000000000000000000000000000000000000000000000000000000000',1000,1,NULL);
CREATE TABLE transitions (
	id INTEGER NOT NULL, 
	submission_id VARCHAR(32) NOT NULL, 
	at DATETIME NOT NULL, 
	from_state VARCHAR(16), 
	to_state VARCHAR(16) NOT NULL, 
	reason VARCHAR, 
	PRIMARY KEY (id)
);
INSERT INTO "transitions" VALUES(1,'00000000000000000000000000000001','2026-11-20 12:02:00.000000','planned','submitting',NULL);
INSERT INTO "transitions" VALUES(2,'00000000000000000000000000000001','2026-11-20 12:03:00.000000','submitting','pending',NULL);
INSERT INTO "transitions" VALUES(3,'00000000000000000000000000000001','2026-11-20 12:04:00.000000','pending','completed',NULL);
INSERT INTO "transitions" VALUES(4,'00000000000000000000000000000001','2026-11-20 12:05:00.000000','completed','landed',NULL);
INSERT INTO "transitions" VALUES(5,'00000000000000000000000000000001','2026-11-20 12:06:00.000000','landed','loaded',NULL);
INSERT INTO "transitions" VALUES(6,'00000000000000000000000000000002','2026-11-20 12:08:00.000000','planned','submitting',NULL);
INSERT INTO "transitions" VALUES(7,'00000000000000000000000000000002','2026-11-20 12:09:00.000000','submitting','planned','the vendor refused the fields skills');
INSERT INTO "transitions" VALUES(8,'00000000000000000000000000000002','2026-11-20 12:10:00.000000','planned','submitting',NULL);
INSERT INTO "transitions" VALUES(9,'00000000000000000000000000000002','2026-11-20 12:11:00.000000','submitting','pending',NULL);
INSERT INTO "transitions" VALUES(10,'00000000000000000000000000000002','2026-11-20 12:12:00.000000','pending','completed',NULL);
INSERT INTO "transitions" VALUES(11,'00000000000000000000000000000002','2026-11-20 12:13:00.000000','completed','landed',NULL);
INSERT INTO "transitions" VALUES(12,'00000000000000000000000000000003','2026-11-20 12:15:00.000000','planned','submitting',NULL);
INSERT INTO "transitions" VALUES(13,'00000000000000000000000000000003','2026-11-20 12:16:00.000000','submitting','pending',NULL);
INSERT INTO "transitions" VALUES(14,'00000000000000000000000000000004','2026-11-20 12:18:00.000000','planned','submitting',NULL);
INSERT INTO "transitions" VALUES(15,'00000000000000000000000000000004','2026-11-20 12:19:00.000000','submitting','pending',NULL);
INSERT INTO "transitions" VALUES(16,'00000000000000000000000000000004','2026-11-20 12:20:00.000000','pending','unknown','not its people');
INSERT INTO "transitions" VALUES(17,'00000000000000000000000000000006','2026-11-20 12:23:00.000000','planned','submitting',NULL);
INSERT INTO "transitions" VALUES(18,'00000000000000000000000000000006','2026-11-20 12:24:00.000000','submitting','rejected','refused');
INSERT INTO "transitions" VALUES(19,'0000000000000000000000000000000b','2026-11-20 12:26:00.000000','planned','submitting',NULL);
INSERT INTO "transitions" VALUES(20,'0000000000000000000000000000000b','2026-11-20 12:27:00.000000','submitting','pending',NULL);
INSERT INTO "transitions" VALUES(21,'0000000000000000000000000000000b','2026-11-20 12:28:00.000000','pending','completed',NULL);
INSERT INTO "transitions" VALUES(22,'00000000000000000000000000000007','2026-11-20 12:31:00.000000','planned','submitting',NULL);
INSERT INTO "transitions" VALUES(23,'00000000000000000000000000000007','2026-11-20 12:32:00.000000','submitting','pending',NULL);
INSERT INTO "transitions" VALUES(24,'00000000000000000000000000000007','2026-11-20 12:33:00.000000','pending','completed',NULL);
INSERT INTO "transitions" VALUES(25,'00000000000000000000000000000007','2026-11-20 12:34:00.000000','completed','landed',NULL);
INSERT INTO "transitions" VALUES(26,'00000000000000000000000000000008','2026-11-20 12:36:00.000000','planned','submitting',NULL);
INSERT INTO "transitions" VALUES(27,'00000000000000000000000000000008','2026-11-20 12:37:00.000000','submitting','pending',NULL);
INSERT INTO "transitions" VALUES(28,'00000000000000000000000000000008','2026-11-20 12:38:00.000000','pending','completed',NULL);
INSERT INTO "transitions" VALUES(29,'00000000000000000000000000000008','2026-11-20 12:39:00.000000','completed','landed',NULL);
CREATE INDEX submissions_by_state ON submissions (account, state, not_before);
CREATE INDEX submissions_by_root ON submissions (root_submission_id);
CREATE INDEX submissions_by_end ON submissions (account, product, completed_at);
CREATE INDEX identifiers_by_day ON identifiers (partition_date);
CREATE INDEX claims_by_submission ON claims (submission_id);
CREATE INDEX rows_by_submission ON rows (submission_id);
CREATE INDEX rows_by_verdict ON rows (verdict, operation, partition_date);
CREATE INDEX submission_days_by_day ON submission_days (partition_date, operation);
CREATE INDEX transitions_by_submission ON transitions (submission_id);
CREATE INDEX hooks_by_submission ON hooks (submission_id);
COMMIT;
