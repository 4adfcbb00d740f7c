"""The words that invented people are made of: many scripts, empty values, quotes and commas."""

# Name and web domain of the companies that people work for.
COMPANIES: tuple[tuple[str, str], ...] = (
    ("Example Works", "works.example"),
    ("Old Example", "old.example"),
    ("Second Current Co", "second.example"),
    ("Nordlicht Energie GmbH", "nordlicht.example"),
    ("Boulangerie & Fils", "boulangerie.example"),
    ("Plover Analytics, Inc.", "plover.example"),
    ("株式会社サンプル", "sample-kk.example"),
    ("Ключ Системы", "kluch.example"),
    ("Hollow Tree Robotics", "hollowtree.example"),
    ('The "Quoted" Company', "quoted.example"),
    ("Lago Azul Seguros", "lagoazul.example"),
    ("Tern & Tide", "terntide.example"),
    ("Example Org", "example.org"),
    ("Example Net", "example.net"),
    ("Bluebell Hospital Trust", "bluebell.example"),
    ("Quarry Lane Partners", "quarrylane.example"),
)

INVESTORS = ("Example Ventures", "Plover Capital", "Fonds d'Exemple", "Sample & Sons")

FIRST_NAMES = (
    "Ada",
    "Zoë",
    "José",
    "Łukasz",
    "Mei",
    "Björn",
    "Aïcha",
    "Olu",
    "Priya",
    "Нина",
    "健",
    "Siobhán",
)
LAST_NAMES = (
    "Ångström",
    "Sandbox",
    "O'Neil",
    "van der Berg",
    "Müller",
    "Nguyễn",
    "da Silva",
    "Иванова",
    "山田",
)
PLACES = (
    ("Bengaluru, Karnataka, India", "Bengaluru", "Karnataka", "India", "Asia"),
    ("San Francisco Bay Area", "", "California", "United States", "North America"),
    ("Zürich, Switzerland", "Zürich", "Zürich", "Switzerland", "Europe"),
    ("São Paulo, Brazil", "São Paulo", "São Paulo", "Brazil", "South America"),
    ("Lagos, Nigeria", "Lagos", "", "Nigeria", "Africa"),
    ("日本 東京都", "東京", "", "Japan", "Asia"),
    ("Greater Paris Metropolitan Region", "", "", "France", "Europe"),
    ("", "", "", "", ""),
)
# Title, department, sub-department, function category.
TITLES = (
    ("Senior Backend Engineer", "Engineering", "Software Engineering", "Engineering"),
    ("Founder, CEO", "Management", "Executive", "Business Management"),
    ("Account Executive", "Sales", "Field Sales", "Sales"),
    ("Chef de projet", "Operations", "Project Management", "Operations"),
    ("Registered Nurse", "Healthcare", "Nursing", "Healthcare Services"),
    ("Head of Growth", "Marketing", "Growth", "Marketing"),
    ("Data Analyst", "Data", "Analytics", "Engineering"),
    ("Advisor", "", "", ""),
    ("品質管理マネージャー", "Operations", "Quality", ""),
)
SENIORITIES = (
    "Entry Level",
    "Entry Level Manager",
    "Senior",
    "Experienced Manager",
    "Director",
    "Vice President",
    "CXO",
    "Owner / Partner",
    "In Training",
    "Strategic",
)
EMPLOYMENT_TYPES = ("Full-time", "Full-time", "", "", "Part-time", "Contract", "Self-employed")
LANGUAGES = ("English", "Deutsch", "Français", "हिन्दी", "Português", "日本語")
SKILLS = (
    "Python", "Go", "Kubernetes", "SQL", "Negotiation", "Public Speaking", "Nursing", "C++", "",
    "  Data Analysis ", "Gestão de Projetos", "Excel", "R&D", "Логистика", "Copywriting", "SEO",
)  # fmt: skip
SCHOOLS = (
    "Example University",
    "University of Example",
    "École d'Exemple",
    "Universität Beispiel",
    "例大学",
)
DEGREES = (
    "Bachelor of Technology - BTech",
    "MSc",
    "",
    "PhD",
    "Master of Business Administration",
    "BA",
)
SUBJECTS = (
    "Computer Science",
    "",
    "Economics",
    "Nursing",
    "Histoire de l'art",
    "Mechanical Engineering",
)
CODE_LANGUAGES = ("Go", "Python", "TypeScript", "Rust", "Jupyter Notebook", "C#")
TOPICS = ("cli", "etl", "machine-learning", "awesome-list", "dotfiles")
TEXTS = (
    "",
    "",
    'Line one.\nLine two, with a "quote" and a tab\there.',
    "I help teams ship. 🚀 Ask me about naïve façades — 100 % serious; (not) a CSV-friendly, text.",
    "Responsible for planning, delivery and reporting.",
)
